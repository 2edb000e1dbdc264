/** Who is calling: the principal behind a call, proved or not. */
export { type Action, actions } from "./action.js";
export {
  type Admission,
  type Admit,
  type Asked,
  admitAll,
  PendingRow,
  type RecordDecision,
  type Rights,
  type RightsOf,
  type Wish,
} from "./admission.js";
export { type AgentFacts, noFacts } from "./agent-facts.js";
export {
  type AuditEvent,
  alsoBecause,
  auditRow,
  parseAuditRow,
  refusedRow,
  rowAbout,
  rowOf,
  rowParts,
} from "./audit-event.js";
export { type JwtSettings, JwtVerifier, jwtAlgorithms } from "./jwt.js";
export {
  type Caller,
  type Credential,
  isOperator,
  localPrincipal,
  operatorPrincipal,
  type Principal,
  type Role,
  type Run,
  type RunId,
  roles,
  tokenPrincipal,
} from "./principal.js";
export { Repetition } from "./repetition.js";
export {
  isSameToken,
  looksLikeToken,
  type MintedToken,
  mintToken,
  parseToken,
  type ShownToken,
} from "./token.js";
