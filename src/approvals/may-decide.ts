import { isOperator, type Principal, type Role } from "../identity/index.js";
import { approversOf, type StoredRequest } from "./stored-request.js";

/**
 * Whether somebody is one of those a request is put to. Whoever asked never is, also not as the operator under that name;
 * the operator otherwise always is. That the right to decide is there too is asked elsewhere.
 */
export function mayDecide(
  request: StoredRequest,
  principal: Principal,
  roles: readonly Role[],
  nowMs: number,
): "may" | "own" | "not_approver" {
  if (principal.agent === request.agent) return "own";
  if (isOperator(principal)) return "may";
  return isNamed(approversOf(request, nowMs), principal.agent, roles) ? "may" : "not_approver";
}

/** Whether somebody may see a request: whoever asked, those it is put to, and admins. */
export function maySee(
  request: StoredRequest,
  principal: Principal,
  roles: readonly Role[],
  nowMs: number,
): boolean {
  return roles.includes("admin") || mayDecide(request, principal, roles, nowMs) !== "not_approver";
}

/** Whether a list of approvers names an agent, or a role it has. */
export function isNamed(approvers: readonly string[], agent: string, roles: readonly Role[]): boolean {
  return approvers.some((one) =>
    one.startsWith("role:") ? roles.some((role) => one === `role:${role}`) : one === agent,
  );
}
