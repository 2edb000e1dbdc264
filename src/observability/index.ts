/** What operators see of a running process: its log. */
export { type Logger, openLog } from "./log.js";
