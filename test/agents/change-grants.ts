import { randomUUID } from "node:crypto";
import { type Access, type Grant, parseGrant } from "../../src/agents/index.js";

/** A grant as a test writes it down. */
export type Rule = readonly [effect: "allow" | "deny", who: string, action: string, resource: string];

export function grantOf([effect, who, action, resource]: Rule, more: Partial<Grant> = {}): Grant {
  const id = randomUUID().slice(0, 8);
  return { id, effect, createdAt: 0, by: "operator", ...parseGrant({ who, action, resource }), ...more };
}

/** Adds grants as the operator's commands do, all at once. Answers their ids. */
export async function changeGrants(
  access: Access,
  namespace: string,
  ...rules: readonly Rule[]
): Promise<readonly string[]> {
  const grants = rules.map((rule) => grantOf(rule));
  await access.change(
    namespace,
    grants.map((grant) => ({ field: `grant:${grant.id}` as const, value: JSON.stringify(grant) })),
    { row: "" },
  );
  return grants.map(({ id }) => id);
}

export async function removeGrants(access: Access, namespace: string, ids: readonly string[]): Promise<void> {
  await access.change(
    namespace,
    ids.map((id) => ({ field: `grant:${id}` as const })),
    { row: "" },
  );
}
