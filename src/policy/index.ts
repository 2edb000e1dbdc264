/** Policy: rules that agents ask before a step, limits on what it may cost, and what was decided. */
export { type CompiledRules, compileRules } from "./compile-rules.js";
export {
  type ApprovalTerms,
  type Counter,
  type DecidingRule,
  type Decision,
  type Effect,
  effects,
  type Limit,
} from "./decision.js";
export type { Question, Reads } from "./question.js";
export { RunReads, type RunReadsDependencies } from "./run-reads.js";
