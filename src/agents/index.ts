/** Who is there and may do what: the directory of agents and queues, their runs, tokens, roles and grants. */
export { Access, type AccessDependencies, type RuleChange, type Rules, rolesOf } from "./access.js";
export { FindRecipients, MyStatus, type Recipients, type Status } from "./contract.js";
export { Credentials, type CredentialsDependencies, type Held } from "./credentials.js";
export { type Decision, decideAccess } from "./decide-access.js";
export { type Described, Directory, type QueueSettings } from "./directory.js";
export { type Grant, parseGrant, parseWho } from "./grant.js";
export { myStatus, type StatusSources } from "./my-status.js";
export { Runs, type RunsDependencies } from "./runs.js";
export { RunsOfNamespaces } from "./runs-of-namespaces.js";
export {
  type IssuedToken,
  type Lifetime,
  type ListedToken,
  Tokens,
  type TokensDependencies,
} from "./tokens.js";
