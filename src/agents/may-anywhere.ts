import type { Action } from "../identity/index.js";
import { type Asking, decideAccess, isLive } from "./decide-access.js";
import type { GrantBook } from "./grant-book.js";
import { hasLocks } from "./resource-kinds.js";

/** A name nobody can have: what holds for it holds for every name that no rule speaks of. */
const nobody = "~";

/** Whether somebody may do this with anything at all, as a list of tools asks. */
export function mayAnywhere(asking: Asking, action: Action, book: GrantBook, nowMs: number): boolean {
  const may = (resource: string): boolean => decideAccess(asking, action, resource, book, nowMs).allowed;
  if (usual(action, asking.agent).some(may)) return true;
  // Asked about `*` it was decided for each lock that somebody allowed.
  if (hasLocks(action)) return false;
  for (const grant of book.of(asking.agent, asking.roles, action))
    if (grant.effect === "allow" && isLive(grant, nowMs) && may(oneOf(grant.resource))) return true;
  return false;
}

/** Resources of every kind that the action has: what roles and wide grants say holds for one of them. */
function usual(action: Action, agent: string): readonly string[] {
  if (action.startsWith("state.")) return [`state:${nobody}`];
  if (action.startsWith("topic.")) return [`topic:${nobody}`];
  const mailboxes = [agent, nobody, `queue:${nobody}`];
  if (action === "mailbox.send") return [...mailboxes, "everyone"];
  return action === "mailbox.read" || action === "agents.describe" ? mailboxes : ["*"];
}

/** Something that a resource of a grant means. */
function oneOf(resource: string): string {
  if (resource.startsWith("topic:")) return resource.replaceAll(/\*+/g, nobody);
  if (resource.startsWith("state:")) return resource.replace("*", nobody);
  return resource.replace("agent:*", nobody).replace("*", nobody);
}
