import { type Action, actions } from "../identity/index.js";

/** What an action is done with: `none` has no resource of its own, and is asked about as `*`. */
export type ResourceKind = "agent" | "queue" | "everyone" | "topic" | "state" | "lock" | "none";

const mailboxes = ["agent", "queue"] as const;

/**
 * What each action is ever asked about with, beside `*`, which means all of it. A test holds the places that ask to it.
 */
export const resourceKinds: Readonly<Record<Action, readonly ResourceKind[]>> = {
  "mailbox.send": [...mailboxes, "everyone"],
  "mailbox.read": mailboxes,
  "topic.publish": ["topic"],
  "topic.read": ["topic"],
  "lock.acquire": ["lock"],
  "lock.read": ["lock"],
  "state.read": ["state"],
  "state.write": ["state"],
  "policy.check": ["none"],
  "budget.settle": ["none"],
  "approval.read": ["none"],
  "approval.decide": ["none"],
  "agents.find": [...mailboxes, "topic"],
  "agents.describe": ["agent"],
  "admin.mailboxes": mailboxes,
  "admin.topics": ["topic"],
  "admin.dead-letters": mailboxes,
  "admin.grants": ["none"],
  "admin.tokens": ["agent"],
  "admin.audit": ["none"],
  "admin.locks": ["none"],
  "admin.policy": ["none"],
  "admin.agents": ["agent"],
};

/** Whether an action is one of locks. */
export function hasLocks(action: Action): boolean {
  return resourceKinds[action].includes("lock");
}

/** Whether somebody asks about a lock, and about no one in particular. */
export function isAnyLock(action: Action, resource: string): boolean {
  return resource === "*" && hasLocks(action);
}

/** The kinds of an action, or all kinds of the actions that `room.*` or `*` stands for. */
export function kindsOf(action: string): ReadonlySet<ResourceKind> {
  const room = action.endsWith("*") ? action.slice(0, -1) : undefined;
  const meant = actions.filter((one) => one === action || (room !== undefined && one.startsWith(room)));
  return new Set(meant.flatMap((one) => resourceKinds[one]));
}

/** The kind of a resource as a grant names it; undefined for `*`, which every action has. */
export function kindOf(resource: string): ResourceKind | undefined {
  if (resource === "*") return undefined;
  if (resource === "everyone") return "everyone";
  for (const kind of ["topic", "state", "queue", "lock"] as const)
    if (resource.startsWith(`${kind}:`)) return kind;
  return "agent";
}
