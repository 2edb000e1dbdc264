/** Policy: rules that agents ask before a step, limits on what it may cost, and what was decided. */

export type { Advice, AgentsOnRecord } from "./advise-rules.js";
export { type CheckOptions, checkPolicy } from "./check-policy.js";
export type { CompiledRules } from "./compile-rules.js";
export {
  type ApprovalQuestion,
  type ApprovalRequest,
  type ApprovalState,
  type ApprovalWait,
  type AwaitedApproval,
  type Duty,
  PolicyContext,
  type PolicyDependencies,
  type PolicyNotice,
} from "./context.js";
export {
  CheckPolicy,
  type LimitAnswer,
  type LimitState,
  type PolicyAnswer,
  type Settled,
  SettleReservation,
} from "./contract.js";
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
export { enforce } from "./enforce.js";
export { type EachDecided, enforceEach } from "./enforce-each.js";
export { type ExplainedLimit, type Explanation, explainQuestion } from "./explain-question.js";
export { contextProblem } from "./given.js";
export { importCosts } from "./import-costs.js";
export { defaultPolicyLimits, type PolicyLimits } from "./limits.js";
export { budgetsOf, listBudgets } from "./list-budgets.js";
export { type Figures, listFigures, whatIsOff } from "./list-figures.js";
export { loadCompiler } from "./load-compiler.js";
export type { Look, Looks } from "./look-at-rules.js";
export { maxActionLength, maxResourceLength } from "./name-pattern.js";
export { newestDecisions, type PastDecisions, pastDecisions } from "./past-decisions.js";
export { patchedFiles } from "./patched-files.js";
export {
  answerHook,
  denial,
  type HookAnswer,
  type HookEvent,
  type HookOptions,
  readHookEvent,
} from "./permission-hook.js";
export { profiles } from "./profiles.js";
export type { Question, Reads } from "./question.js";
export { type CostReport, type ReadReports, readCostReports } from "./read-cost-reports.js";
export { type RefusedBefore, refusedBefore } from "./refused-before.js";
export { type Replayed, replayDecisions } from "./replay-decisions.js";
export {
  firstVersion,
  type InForce,
  type NewRules,
  type PutRules,
  RuleBook,
  type RulesVersion,
} from "./rule-book.js";
export type { RuleParts } from "./rule-parts.js";
export type { RuleTest } from "./rule-test.js";
export { RunReads, type RunReadsDependencies } from "./run-reads.js";
export { settleReservation } from "./settle-reservation.js";
export type { TestOutcome } from "./test-rules.js";
export { saidWithout, saidWithShadow } from "./with-shadow.js";
