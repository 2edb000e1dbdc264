import { type Config, readConfig } from "../config/index.js";
import { relayStdio, serveStdio } from "../mcp/index.js";
import { openLog } from "../observability/index.js";
import { loadSoon } from "./load-soon.js";
import { startPrincipal } from "./start-principal.js";
import { type ServerSwitches, type Switches, serverSettingsOf, settingsOf } from "./switches.js";
import { leave, terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { packageVersion } from "./version.js";

export interface StdioSwitches extends Switches, ServerSwitches {
  readonly channel?: boolean;
}

/** One MCP server on standard input and output, until the client is gone. */
export async function stdio(switches: StdioSwitches): Promise<void> {
  // A command may leave at once when nobody reads; a server that loses its client ends its run first.
  terminal().stdout.removeAllListeners("error");
  const config = readConfig(terminal().env, {
    ...settingsOf(switches),
    ...serverSettingsOf(switches),
    ...(switches.channel && { channel: "1" }),
  });
  await (config.server === undefined ? serve(config) : relay(config, config.server));
  leave(0);
}

async function serve(config: Config): Promise<void> {
  const log = openLog(config.logLevel);
  const { openHouse } = await import("../compose.js");
  const house = await openHouse(config, log);
  const principal = await startPrincipal(house).catch(async (refusal: unknown) => {
    // What is open would keep the process alive behind its message.
    await house.close();
    throw refusal;
  });
  loadSoon(log);
  await serveStdio(house.rooms, {
    namespace: config.namespace,
    ...(principal ? { principal } : {}),
    version: packageVersion(),
    log,
    structured: config.structured,
    channel: config.channel,
    ...(config.agent === undefined ? {} : { agent: config.agent }),
  });
  await Promise.race([house.close(), new Promise((resolve) => setTimeout(resolve, 1_000))]);
}

/** The store belongs to the server: what would choose one here is a mistake that must not pass in silence. */
async function relay(config: Config, server: string): Promise<void> {
  if (config.redisUrl !== undefined)
    throw new UsageError("with a server (--server) the store is the server's: leave REDIS_URL unset");
  if (config.channel)
    throw new UsageError(
      "channels are pushed by a process that has the store: use --channel without --server",
    );
  await relayStdio({
    url: new URL(server),
    version: packageVersion(),
    log: openLog(config.logLevel),
    structured: config.structured,
    stdin: terminal().stdin,
    stdout: terminal().stdout,
    ...(config.agent === undefined ? {} : { agent: config.agent }),
    ...(config.token === undefined ? {} : { token: config.token }),
  });
}
