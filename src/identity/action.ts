/**
 * What a caller can be granted, as `room.verb`. The resource beside it is an address (`alice`, `queue:reviews`,
 * `topic:builds.ci`, `state:plan/owner`, `everyone`), or `*` where the
 * action has none.
 */
export const actions = [
  "mailbox.send",
  "mailbox.read",
  "topic.publish",
  "topic.read",
  "state.read",
  "state.write",
  "agents.find",
  "agents.describe",
  "admin.dead-letters",
  "admin.grants",
  "admin.audit",
] as const;

export type Action = (typeof actions)[number];
