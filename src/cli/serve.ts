import { type House, openHouse } from "../compose.js";
import { type Config, type Flags, readConfig } from "../config/index.js";
import { isRefusal } from "../errors/index.js";
import { type HttpOptions, type HttpService, serveHttp } from "../http/index.js";
import { openLog } from "../observability/index.js";
import { packageVersion } from "./version.js";

/** MCP over Streamable HTTP, until SIGTERM or SIGINT. */
export async function serve(flags: Flags): Promise<void> {
  const config = readConfig(process.env, flags);
  const log = openLog(config.logLevel);
  const house = await openHouse(config, log);
  const start = async (): Promise<HttpService & { readonly believesNames: boolean }> => {
    const { tokensRequired } = await house.access.rules(config.namespace);
    const isGuarded = tokensRequired || config.jwtJwks !== undefined;
    const service = await serveHttp(house.rooms, {
      ...optionsOf(config),
      log,
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
  process.stderr.write(
    [
      `llm-mailbox ${packageVersion()} is ready.`,
      `  MCP      ${config.publicUrl ?? service.url}/mcp${service.believesNames ? "?agent=NAME" : ", with a token in Authorization: Bearer"}`,
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
    // A body of control characters takes six bytes for each in JSON.
    maxBodyBytes: Math.max(1024 * 1024, 8 * (config.limits.bodyBytes ?? 0)),
    allowedHosts: publicUrl === undefined ? allowedHosts : [...allowedHosts, new URL(publicUrl).hostname],
    allowedOrigins: config.allowedOrigins,
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(issuer === undefined ? {} : { issuer }),
  };
}
