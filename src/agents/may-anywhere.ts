import type { Action } from "../identity/index.js";
import { type Asking, decideAccess, isLive } from "./decide-access.js";
import type { GrantBook } from "./grant-book.js";

/** A name nobody can have: what holds for it holds for every name that no rule speaks of. */
const nobody = "~";

/** Whether somebody may do this with anything at all, as a list of tools asks. */
export function mayAnywhere(asking: Asking, action: Action, book: GrantBook, nowMs: number): boolean {
  const may = (resource: string): boolean => decideAccess(asking, action, resource, book, nowMs).allowed;
  const usual = ["*", asking.agent, nobody, `queue:${nobody}`, `topic:${nobody}`, "everyone"];
  if (usual.some(may)) return true;
  for (const grant of book.of(asking.agent, asking.roles, action))
    if (grant.effect === "allow" && isLive(grant, nowMs) && may(oneOf(grant.resource))) return true;
  return false;
}

/** Something that a resource of a grant means. */
function oneOf(resource: string): string {
  if (resource.startsWith("topic:")) return resource.replaceAll(/\*+/g, nobody);
  return resource.replace("agent:*", nobody).replace("*", nobody);
}
