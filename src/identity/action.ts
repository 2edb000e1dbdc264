/**
 * What a caller can be granted, as `room.verb`. The resource beside it is an address (`alice`, `queue:reviews`,
 * `topic:builds.ci`, `everyone`), what is to be locked as `lock:src/auth/**`, a key of shared state as
 * `state:plan/owner`, or `*` where the action has none.
 */
export const actions = [
  "mailbox.send",
  "mailbox.read",
  "topic.publish",
  "topic.read",
  "lock.acquire",
  "lock.read",
  "state.read",
  "state.write",
  "policy.check",
  "budget.settle",
  "approval.read",
  "approval.decide",
  "agents.find",
  "agents.describe",
  "admin.mailboxes",
  "admin.topics",
  "admin.dead-letters",
  "admin.grants",
  "admin.tokens",
  "admin.audit",
  "admin.locks",
  "admin.policy",
  "admin.agents",
] as const;

export type Action = (typeof actions)[number];
