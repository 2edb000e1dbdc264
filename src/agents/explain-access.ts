import type { Action } from "../identity/index.js";
import { type Asking, allowsOfSome, type Decision, decideAccess, isLive } from "./decide-access.js";
import type { Grant } from "./grant.js";
import { GrantBook } from "./grant-book.js";
import { isAnyLock } from "./resource-kinds.js";

/** A decision with everything that had a say in it. */
export interface Explanation extends Decision {
  /** Live grants that speak of it. One deny outweighs every allow. */
  readonly denies: readonly Grant[];
  readonly allows: readonly Grant[];
  /** What would be decided if nothing were granted or denied. */
  readonly byRole: Decision;
}

const nothing = new GrantBook([]);

/** Decides as a call would be decided, and says why. */
export function explainAccess(
  asking: Asking,
  action: Action,
  resource: string,
  book: GrantBook,
  nowMs: number,
): Explanation {
  const { agent, roles } = asking;
  const decision = decideAccess(asking, action, resource, book, nowMs);
  const live = book.about(agent, roles, action, resource).filter((grant) => isLive(grant, nowMs));
  const allows = live.filter(({ effect }) => effect === "allow");
  const byRole = decideAccess(asking, action, resource, nothing, nowMs);
  // Those that allow some lock speak of that lock, and each of them lets pass whoever asks about any.
  const ofSome =
    isAnyLock(action, resource) && decision.allowed && !byRole.allowed
      ? [...allowsOfSome(asking, action, book, nowMs)].filter((grant) => !allows.includes(grant))
      : [];
  return {
    ...decision,
    denies: live.filter(({ effect }) => effect === "deny"),
    allows: [...allows, ...ofSome],
    byRole,
  };
}
