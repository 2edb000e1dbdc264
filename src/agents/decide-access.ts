import type { Action, Role } from "../identity/index.js";
import type { Grant } from "./grant.js";
import type { GrantBook } from "./grant-book.js";
import { examplesOf } from "./lock-grants.js";
import { isAnyLock } from "./resource-kinds.js";

/** Who asks, as the rules see it. */
export interface Asking {
  readonly agent: string;
  readonly roles: readonly Role[];
  readonly isOperator: boolean;
}

/** Whether somebody may, and what said so: a grant by its id, a role, or that nothing allowed it. */
export interface Decision {
  readonly allowed: boolean;
  readonly because: string;
}

/**
 * Decides by the rules of a namespace: a live deny wins over everything but the operator, then a live allow, then what
 * the caller's roles may without being granted it. Asked about `*` for locks, as where they are listed, it is enough that
 * there may be a lock with which the caller may.
 */
export function decideAccess(
  asking: Asking,
  action: Action,
  resource: string,
  book: GrantBook,
  nowMs: number,
): Decision {
  const { agent, roles, isOperator } = asking;
  if (isOperator) return { allowed: true, because: "operator" };
  let allow: Grant | undefined;
  for (const grant of book.about(agent, roles, action, resource)) {
    if (!isLive(grant, nowMs)) continue;
    if (grant.effect === "deny") return { allowed: false, because: `grant ${grant.id}` };
    allow ??= grant;
  }
  if (allow) return { allowed: true, because: `grant ${allow.id}` };
  const role = roles.find((one) => byDefault(one, agent, action, resource));
  if (role) return { allowed: true, because: `role ${role}` };
  const [one] = isAnyLock(action, resource) ? allowsOfSome(asking, action, book, nowMs) : [];
  return one ? { allowed: true, because: `grant ${one.id}` } : { allowed: false, because: "no grant" };
}

/** How many allows are held against the denies, each against all of them that may speak of it. */
const mostTried = 20;

/**
 * What allows a lock that nothing denies, each by itself. Of what comes after many that are denied nobody looks any more
 * whether it is: it may be no lock, which whoever asks about one is told.
 */
export function* allowsOfSome(
  asking: Asking,
  action: Action,
  book: GrantBook,
  nowMs: number,
): Generator<Grant> {
  let tried = 0;
  for (const grant of book.of(asking.agent, asking.roles, action)) {
    if (grant.effect !== "allow" || !isLive(grant, nowMs)) continue;
    tried++;
    if (tried > mostTried) yield grant;
    else if (examplesOf(grant.resource).some((one) => decideAccess(asking, action, one, book, nowMs).allowed))
      yield grant;
  }
}

export function isLive(grant: Grant, nowMs: number): boolean {
  return grant.expiresAt === undefined || grant.expiresAt > nowMs;
}

/** What a role may without a grant. `everyone` and administration are never among it, but for an admin. */
function byDefault(role: Role, agent: string, action: Action, resource: string): boolean {
  if (role === "admin") return true;
  const isQueue = resource.startsWith("queue:");
  switch (action) {
    case "agents.find":
    case "topic.read":
    case "lock.read":
    case "state.read":
      return true;
    case "agents.describe":
      return resource === agent;
    case "mailbox.read":
      return resource === agent || (role === "agent" && isQueue);
    case "mailbox.send":
      return resource !== "everyone" && (role === "agent" || (role === "approver" && !isQueue));
    case "policy.check":
      return role !== "observer";
    case "approval.read":
    case "approval.decide":
      return role === "approver";
    case "topic.publish":
    case "lock.acquire":
    case "state.write":
    case "budget.settle":
      return role === "agent";
    default:
      return false;
  }
}
