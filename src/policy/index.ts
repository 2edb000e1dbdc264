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
export { diffRules, type FieldChange, type RuleChange } from "./diff-rules.js";
export { type ExplainedLimit, type Explanation, explainQuestion } from "./explain-question.js";
export { contextProblem } from "./given.js";
export type { Look, Looks } from "./look-at-rules.js";
export { maxActionLength, maxResourceLength } from "./name-pattern.js";
export { type PastDecisions, pastDecisions } from "./past-decisions.js";
export { profiles } from "./profiles.js";
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
export { type RuleParts, ruleParts } from "./rule-parts.js";
export { maxRuleSetBytes } from "./rule-set.js";
export type { RuleTest } from "./rule-test.js";
export { type TestOutcome, testRules } from "./test-rules.js";
