import type { Rules } from "./access.js";

/** What is recorded of all agents of a namespace together, for whoever writes rules about them. */
export interface OnRecord {
  readonly roles: ReadonlySet<string>;
  readonly teams: ReadonlySet<string>;
  /** Role that a namespace gives → the agents that have it. */
  readonly holders: ReadonlyMap<string, readonly string[]>;
}

export function onRecord({ facts, roles }: Rules): OnRecord {
  const holders = new Map<string, readonly string[]>();
  for (const [agent, given] of roles)
    for (const role of given) holders.set(role, [...(holders.get(role) ?? []), agent]);
  const said = [...facts.values()];
  return {
    roles: new Set(said.map(({ role }) => role)),
    teams: new Set(said.map(({ team }) => team)),
    holders,
  };
}
