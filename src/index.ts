/** The public API of the package: what a program needs to serve LLM Mailbox itself or to tell its refusals apart. */
export { type House, openHouse } from "./compose.js";
export { type Config, readConfig } from "./config/index.js";
export {
  type ErrorCode,
  type ErrorKind,
  httpStatus,
  isRefusal,
  isRetryable,
  MailboxError,
} from "./errors/index.js";
export { type HttpOptions, type HttpService, serveHttp } from "./http/index.js";
export { type Caller, localPrincipal, type Principal } from "./identity/index.js";
export { openMcpEndpoint, type Rooms, serveStdio } from "./mcp/index.js";
export { type Logger, openLog } from "./observability/index.js";
