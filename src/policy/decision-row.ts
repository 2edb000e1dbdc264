import { visible } from "../addresses/index.js";
import { type Admission, type AuditEvent, type Caller, parseAuditRow, rowOf } from "../identity/index.js";

/** Where a script puts the reasons that it alone knows; as JSON writes it. */
export const reasonsMark = "\u0001";

const mostShown = 300;

/** The row of what was decided about a step, by whoever may ask: in place of the row that they may. */
export function decisionRow(
  caller: Caller,
  admission: Admission,
  {
    action,
    resource,
    outcome,
    because,
  }: Pick<AuditEvent, "resource" | "outcome" | "because"> & {
    readonly action: "policy.check" | "budget.settle";
  },
): string {
  const right = outcome === "allow" ? `${parseAuditRow(admission.row)?.because ?? ""}; ` : "";
  return rowOf(caller, { action, resource, outcome, because: `${right}${because}` });
}

/** A step as the audit names it. What a caller calls it may be anything, so it is made visible and cut. */
export function checkedStep(action: string, resource: string): string {
  return `check:${visible(resource === "" ? action : `${action} ${resource}`).slice(0, mostShown)}`;
}
