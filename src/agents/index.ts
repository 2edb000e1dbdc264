/** Who is there and may do what: the directory of agents and queues, their runs, tokens, roles and grants. */
export {
  Access,
  type AccessDependencies,
  type Held,
  type RuleChange,
  type Rules,
  rolesOf,
  type Stop,
} from "./access.js";
export { AgentRecords, type FactsChange } from "./agent-records.js";
export { FindRecipients, MyStatus, type Recipients, type Status } from "./contract.js";
export { Credentials, type CredentialsDependencies } from "./credentials.js";
export { type Asking, type Decision, decideAccess } from "./decide-access.js";
export { type Described, Directory, type QueueSettings } from "./directory.js";
export { type Explanation, explainAccess } from "./explain-access.js";
export { type Grant, grantsMost, parseGrant, parseWho } from "./grant.js";
export { GrantBook } from "./grant-book.js";
export { Grants, type NewGrant } from "./grants.js";
export { KillSwitch } from "./kill-switch.js";
export { mayAnywhere } from "./may-anywhere.js";
export { myStatus, type StatusSources } from "./my-status.js";
export { type OnRecord, onRecord } from "./on-record.js";
export { isAnyLock } from "./resource-kinds.js";
export { type RunEnd, Runs, type RunsDependencies } from "./runs.js";
export { RunsOfNamespaces } from "./runs-of-namespaces.js";
export {
  type IssuedToken,
  type Lifetime,
  type ListedToken,
  Tokens,
  type TokensDependencies,
} from "./tokens.js";
