/** What operators see of a running process: its log and its numbers. */
export { type Log, loadLog } from "./load-log.js";
export { type Logger, openLog } from "./log.js";
export { Metrics, metricsContentType } from "./metrics.js";
export { openServiceMetrics, type ServiceMetrics } from "./service-metrics.js";
