import { type House, openHouse } from "../compose.js";
import { type Config, type Flags, readConfig } from "../config/index.js";
import { catalogue, isRefusal } from "../errors/index.js";
import { defaultHttpLimits, type HttpOptions, type HttpService, serveHttp } from "../http/index.js";
import { defaultMailboxLimits } from "../mailbox/index.js";
import { requestsPerCall, toolNames } from "../mcp/index.js";
import { openLog, openServiceMetrics, type ServiceMetrics } from "../observability/index.js";
import { loadSoon } from "./load-soon.js";
import { leave, terminal } from "./terminal.js";
import { packageVersion } from "./version.js";

/** MCP over HTTP, until SIGTERM or SIGINT. */
export async function serve(flags: Flags): Promise<void> {
  const config = readConfig(terminal().env, flags);
  const log = openLog(config.logLevel);
  const metrics = openServiceMetrics({
    version: packageVersion(),
    tools: await toolNames(),
    codes: Object.keys(catalogue),
  });
  const house = await openHouse(config, log, { onRoundTrip: metrics.roundTrip });
  showStore(metrics, house);
  // What the command line recorded or left to be done must not wait for the first agent.
  house.runs.attend();
  loadSoon(log);
  const start = async (): Promise<HttpService & { readonly believesNames: boolean }> => {
    const { tokensRequired } = await house.access.rules(config.namespace);
    const isGuarded = tokensRequired || config.jwtJwks !== undefined;
    const service = await serveHttp(house.rooms, {
      ...optionsOf(config),
      log,
      metrics,
      // Once a token was issued there is no way back, so that what is open to the network stays guarded.
      credentialsRequired: isGuarded,
      ready: async () => ({
        ready: house.store.connected,
        store: house.store.label,
        tier: house.store.tier,
      }),
    });
    return { ...service, believesNames: !isGuarded && (await believesNames(house)) };
  };
  const service = await start().catch(async (refusal: unknown) => {
    // What is open would keep the process alive behind its message.
    await house.close();
    throw refusal;
  });
  terminal().stderr.write(
    [
      `llm-mailbox ${packageVersion()} is ready.`,
      `  MCP      ${config.publicUrl ?? service.url}/mcp${service.believesNames ? "?agent=NAME" : ", with a token in Authorization: Bearer"}`,
      `  older    ${config.publicUrl ?? service.url}/sse${service.believesNames ? "?agent=NAME" : ""}, for clients that know only HTTP+SSE`,
      `  store    ${house.store.label}, durability ${house.store.tier}`,
      ...(config.redisUrl === undefined ? [`  data     ${config.dataDir}`] : []),
      "  Stop with Ctrl-C; nothing that was accepted is lost.",
      "",
    ].join("\n"),
  );
  const stop = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  });
  await stop;
  await service.close();
  await Promise.race([house.close(), new Promise((resolve) => setTimeout(resolve, 1_000))]);
  leave(0);
}

function showStore({ registry }: ServiceMetrics, { store }: House): void {
  registry.gauge("llm_mailbox_store_connected", "1 while the store can be reached.", () =>
    Number(store.connected),
  );
  registry.gauge("llm_mailbox_store_tier", "What the store promises, see guarantees.md.", () => [
    [{ tier: store.tier }, 1],
  ]);
}

async function believesNames({ credentials, config }: House): Promise<boolean> {
  try {
    await credentials.check({ namespace: config.namespace, credential: { kind: "none" } });
    return true;
  } catch (error) {
    if (isRefusal(error, "auth.required")) return false;
    throw error;
  }
}

function optionsOf(config: Config): Omit<HttpOptions, "log"> {
  const { publicUrl, jwtIssuer: issuer, allowedHosts } = config;
  return {
    namespace: config.namespace,
    version: packageVersion(),
    host: config.host,
    port: config.port,
    limits: {
      ...config.http,
      requestsPerMinute:
        requestsPerCall * (config.limits.callsPerMinute ?? defaultMailboxLimits.callsPerMinute),
      // A body of control characters takes six bytes for each in JSON.
      bodyBytes: Math.max(defaultHttpLimits.bodyBytes, 8 * (config.limits.bodyBytes ?? 0)),
    },
    allowedHosts: publicUrl === undefined ? allowedHosts : [...allowedHosts, new URL(publicUrl).hostname],
    allowedOrigins: config.allowedOrigins,
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(issuer === undefined ? {} : { issuer }),
  };
}
