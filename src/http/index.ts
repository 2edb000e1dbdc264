/** The face for people and programs: where the server listens, and what it answers there. */
export { type HttpOptions, type HttpService, type Readiness, serveHttp } from "./serve-http.js";
