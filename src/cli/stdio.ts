import { openHouse } from "../compose.js";
import { type Flags, readConfig } from "../config/index.js";
import { serveStdio } from "../mcp/index.js";
import { openLog } from "../observability/index.js";
import { packageVersion } from "./version.js";

/** One MCP server on standard input and output, until the client is gone. */
export async function stdio(flags: Flags): Promise<void> {
  const config = readConfig(process.env, flags);
  const log = openLog(config.logLevel);
  const house = await openHouse(config, log);
  await serveStdio(house.rooms, {
    namespace: config.namespace,
    version: packageVersion(),
    log,
    structured: config.structured,
    ...(config.agent === undefined ? {} : { agent: config.agent }),
  });
  await Promise.race([house.close(), new Promise((resolve) => setTimeout(resolve, 1_000))]);
  process.exit(0);
}
