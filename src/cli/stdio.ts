import { openHouse } from "../compose.js";
import { type Flags, readConfig } from "../config/index.js";
import { serveStdio } from "../mcp/index.js";
import { openLog } from "../observability/index.js";
import { startPrincipal } from "./start-principal.js";
import { packageVersion } from "./version.js";

/** One MCP server on standard input and output, until the client is gone. */
export async function stdio(flags: Flags): Promise<void> {
  const config = readConfig(process.env, flags);
  const log = openLog(config.logLevel);
  const house = await openHouse(config, log);
  const principal = await startPrincipal(house).catch(async (refusal: unknown) => {
    // What is open would keep the process alive behind its message.
    await house.close();
    throw refusal;
  });
  await serveStdio(house.rooms, {
    namespace: config.namespace,
    ...(principal ? { principal } : {}),
    version: packageVersion(),
    log,
    structured: config.structured,
    ...(config.agent === undefined ? {} : { agent: config.agent }),
  });
  await Promise.race([house.close(), new Promise((resolve) => setTimeout(resolve, 1_000))]);
  process.exit(0);
}
