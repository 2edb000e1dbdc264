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
export { type DecisionRecord, parseDecisionRecord } from "./decision-record.js";
export { type PastDecisions, pastDecisions } from "./past-decisions.js";
export type { Question, Reads } from "./question.js";
export { type Replayed, replayDecisions } from "./replay-decisions.js";
export {
  firstVersion,
  type InForce,
  type NewRules,
  type PutRules,
  RuleBook,
  type RulesVersion,
} from "./rule-book.js";
