/** Policy: rules that agents ask before a step, limits on what it may cost, and what was decided. */
export { type CheckOptions, checkPolicy } from "./check-policy.js";
export { type CompiledRules, compileRules } from "./compile-rules.js";
export {
  type ApprovalQuestion,
  type ApprovalRequest,
  type ApprovalState,
  type ApprovalWait,
  type AwaitedApproval,
  type InForce,
  PolicyContext,
  type PolicyDependencies,
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
export { enforce } from "./enforce.js";
export { contextProblem } from "./given.js";
export { importCosts } from "./import-costs.js";
export { defaultPolicyLimits, type PolicyLimits } from "./limits.js";
export { budgetsOf, listBudgets } from "./list-budgets.js";
export { type Figures, listFigures, whatIsOff } from "./list-figures.js";
export { maxActionLength, maxResourceLength } from "./name-pattern.js";
export { profiles } from "./profiles.js";
export type { Question, Reads } from "./question.js";
export { type CostReport, type ReadReports, readCostReports } from "./read-cost-reports.js";
export { maxRuleSetBytes } from "./rule-set.js";
export type { RuleTest } from "./rule-test.js";
export { RunReads, type RunReadsDependencies } from "./run-reads.js";
export { settleReservation } from "./settle-reservation.js";
