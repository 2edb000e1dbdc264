/** Who is calling: the principal behind a call, proved or not. */
export { type Action, actions } from "./action.js";
export { type Admission, type Admit, type May, PendingRow, type RecordDecision } from "./admission.js";
export { type AuditEvent, auditRow, parseAuditRow, rowOf } from "./audit-event.js";
export {
  type Caller,
  type Credential,
  localPrincipal,
  operatorPrincipal,
  type Principal,
  type Role,
  type Run,
  type RunId,
  roles,
} from "./principal.js";
