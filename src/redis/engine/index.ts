/** Where Redis comes from when no address is given: one local engine per data directory, shared by all processes of its owner. */
export { EngineError } from "./engine-error.js";
export type { EngineChoice } from "./engine-record.js";
export { type Engine, type EnsureOptions, ensureEngine } from "./ensure-engine.js";
export { type EngineReport, holdsData, inspectEngine } from "./inspect-engine.js";
export { type SuperviseOptions, superviseEngine } from "./supervise-engine.js";
