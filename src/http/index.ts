/** The face for people and programs: where the server listens, and what it answers there. */
export { defaultHttpLimits, type HttpLimits } from "./limits.js";
export { type HttpOptions, type HttpService, type Readiness, serveHttp } from "./serve-http.js";
