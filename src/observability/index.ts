/** What operators see of a running process: its log. */
export { openLog } from "./log.js";
