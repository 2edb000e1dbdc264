import type { Action, Role } from "../identity/index.js";
import { applies, type Grant } from "./grant.js";

/** Whether somebody may, and what said so: a grant by its id, a role, or that nothing allowed it. */
export interface Decision {
  readonly allowed: boolean;
  readonly because: string;
}

/**
 * Decides by the rules of a namespace: a live deny wins over everything but the operator, then a live allow, then what
 * the caller's roles may without being granted it.
 */
export function decideAccess(
  asking: { readonly agent: string; readonly roles: readonly Role[]; readonly isOperator: boolean },
  action: Action,
  resource: string,
  grants: readonly Grant[],
  nowMs: number,
): Decision {
  const { agent, roles, isOperator } = asking;
  if (isOperator) return { allowed: true, because: "operator" };
  let allow: Grant | undefined;
  for (const grant of grants) {
    if (!applies(grant, agent, roles, action, resource, nowMs)) continue;
    if (grant.effect === "deny") return { allowed: false, because: `grant ${grant.id}` };
    allow ??= grant;
  }
  if (allow) return { allowed: true, because: `grant ${allow.id}` };
  const role = roles.find((one) => byDefault(one, agent, action, resource));
  return role ? { allowed: true, because: `role ${role}` } : { allowed: false, because: "no grant" };
}

/** What a role may without a grant. `everyone` and administration are never among it, but for an admin. */
function byDefault(role: Role, agent: string, action: Action, resource: string): boolean {
  if (role === "admin") return true;
  switch (action) {
    case "agents.find":
    case "agents.describe":
    case "topic.read":
    case "lock.read":
    case "state.read":
      return true;
    case "mailbox.read":
      return resource === agent || (role === "agent" && resource.startsWith("queue:"));
    case "mailbox.send":
      return role !== "observer" && resource !== "everyone";
    case "topic.publish":
    case "lock.acquire":
    case "state.write":
      return role === "agent";
    default:
      return false;
  }
}
