import { openHouse } from "../compose.js";
import { type Flags, readConfig } from "../config/index.js";
import { catalogue } from "../errors/index.js";
import { defaultHttpLimits, serveHttp } from "../http/index.js";
import { toolNames } from "../mcp/index.js";
import { openLog, openServiceMetrics } from "../observability/index.js";
import { packageVersion } from "./version.js";

/** MCP over HTTP on loopback, until SIGTERM or SIGINT. */
export async function serve(flags: Flags): Promise<void> {
  const config = readConfig(process.env, flags);
  const log = openLog(config.logLevel);
  const metrics = openServiceMetrics({
    version: packageVersion(),
    tools: await toolNames(),
    codes: Object.keys(catalogue),
  });
  const house = await openHouse(config, log, { onRoundTrip: metrics.roundTrip });
  metrics.registry.gauge("llm_mailbox_store_connected", "1 while the store can be reached.", () =>
    Number(house.store.connected),
  );
  metrics.registry.gauge("llm_mailbox_store_tier", "What the store promises, see guarantees.md.", () => [
    [{ tier: house.store.tier }, 1],
  ]);
  const service = await serveHttp(house.rooms, {
    namespace: config.namespace,
    version: packageVersion(),
    log,
    host: config.host,
    port: config.port,
    limits: {
      ...config.http,
      // A body of control characters takes six bytes for each in JSON.
      bodyBytes: Math.max(defaultHttpLimits.bodyBytes, 8 * (config.limits.bodyBytes ?? 0)),
    },
    metrics,
    ready: async () => ({ ready: house.store.connected, store: house.store.label, tier: house.store.tier }),
  }).catch(async (refusal: unknown) => {
    // What is open would keep the process alive behind its message.
    await house.close();
    throw refusal;
  });
  process.stderr.write(
    [
      `llm-mailbox ${packageVersion()} is ready.`,
      `  MCP      ${service.url}/mcp?agent=NAME`,
      `  older    ${service.url}/sse?agent=NAME, for clients that know only HTTP+SSE`,
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
  process.exit(0);
}
