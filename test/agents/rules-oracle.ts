import type { Grant } from "../../src/agents/index.js";
import type { Action, Role } from "../../src/identity/index.js";

/**
 * Decides by looking at every grant and trying every way in which a pattern can be laid over a topic. Slow, plain, and
 * sharing no code with what it is compared with.
 */
export function mayByGrants(
  grants: readonly Grant[],
  agent: string,
  roles: readonly Role[],
  action: Action,
  resource: string,
  nowMs: number,
): boolean {
  if (isDenied(grants, agent, roles, action, resource, nowMs)) return false;
  if (speaking(grants, agent, roles, action, resource, nowMs).length > 0) return true;
  const queue = resource.startsWith("queue:");
  return roles.some((role) => {
    if (role === "admin") return true;
    if (action === "topic.read" || action === "agents.find") return true;
    if (action === "agents.describe") return resource === agent;
    if (action === "mailbox.read") return resource === agent || (queue && role === "agent");
    if (role === "agent")
      return action === "topic.publish" || (action === "mailbox.send" && resource !== "everyone");
    return role === "approver" && action === "mailbox.send" && !queue && resource !== "everyone";
  });
}

export function isDenied(
  grants: readonly Grant[],
  agent: string,
  roles: readonly Role[],
  action: Action,
  resource: string,
  nowMs: number,
): boolean {
  return speaking(grants, agent, roles, action, resource, nowMs).some(({ effect }) => effect === "deny");
}

function speaking(
  grants: readonly Grant[],
  agent: string,
  roles: readonly Role[],
  action: Action,
  resource: string,
  nowMs: number,
): readonly Grant[] {
  return grants.filter((grant) => {
    const isMeant =
      grant.who === "*" || grant.who === agent || roles.map((role) => `role:${role}`).includes(grant.who);
    const [room] = action.split(".");
    const isAction = [action, "*", `${room}.*`].includes(grant.action);
    const isOver = grant.expiresAt !== undefined && nowMs >= grant.expiresAt;
    return isMeant && isAction && !isOver && meansResource(grant.resource, resource);
  });
}

function meansResource(said: string, resource: string): boolean {
  if (said === "*" || said === resource) return true;
  if (said === "queue:*") return resource.startsWith("queue:");
  if (said === "agent:*") return /^[^:*]+$/.test(resource) && resource !== "everyone";
  if (!said.startsWith("topic:") || !resource.startsWith("topic:")) return false;
  return lies(said.slice(6).split("."), resource.slice(6).split("."));
}

/** Whether the pattern lies over the beginning of the levels; a level ** of a subscription is only meant by **. */
export function lies(pattern: readonly string[], levels: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return true;
  if (first === "**") return levels.some((_, n) => lies(rest, levels.slice(n))) || lies(rest, []);
  const [level, ...others] = levels;
  if (level === undefined || level === "**") return false;
  return (first === "*" || first === level) && lies(rest, others);
}
