import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { kindOf, kindsOf, type ResourceKind, resourceKinds } from "../../src/agents/resource-kinds.js";
import { type Action, actions } from "../../src/identity/index.js";

const src = fileURLToPath(new URL("../../src", import.meta.url));

/** What the code names a resource by, where it asks the gate, and what that can be. Whatever is not here is not known. */
const expressions: readonly (readonly [expression: RegExp, kinds: readonly ResourceKind[]])[] = [
  [/^"\*"$/, ["none"]],
  [/^"everyone"$/, ["everyone"]],
  [/^`topic:\$/, ["topic"]],
  [/^`state:\$/, ["state"]],
  [/^`lock:\$/, ["lock"]],
  [/^"lock:\*\*"$/, ["lock"]],
  [/^nameOf\(/, ["lock"]],
  [/^(agent|caller\.principal\.agent|ownMailbox\(caller\))$/, ["agent"]],
  [/^(agent|first\?\.record\.agent) \?\? "\*"$/, ["agent"]],
  [/^(mailbox|place)( \?\? "\*")?$/, ["agent", "queue"]],
];

/** Places that name it by a word that means something else at each of them. */
const particular: Readonly<Record<string, readonly ResourceKind[]>> = {
  "topics/subscribe-topic.ts topic.read resource": ["topic"],
  "state/list-state.ts state.read resource": ["state"],
  "state/watch-state.ts state.read resource": ["state"],
  "locks/list-locks.ts lock.read asked": ["lock"],
  "locks/release-lock.ts lock.acquire resource": ["lock"],
  "locks/renew-leases.ts lock.acquire resource": ["lock"],
  "mailbox/plan-broadcast.ts mailbox.send name": ["agent"],
};

interface Site {
  readonly file: string;
  readonly action: Action;
  readonly expression: string;
}

/** Every place that asks whether somebody may: by the gate, or by the rights of a moment. */
function sites(): readonly Site[] {
  const found: Site[] = [];
  for (const entry of readdirSync(src, { recursive: true, encoding: "utf8" })) {
    // The command line is the operator, whom no grant binds.
    if (!entry.endsWith(".ts") || entry.startsWith("cli/")) continue;
    const text = readFileSync(join(src, entry), "utf8");
    const asks =
      /(?:\badmit\(\s*\w+,\s*|#admit\(\s*\w+,\s*|\bmay\(\s*|rightsOf\(\w+\)\)\(\s*)"([a-z]+\.[a-z-]+)",\s*((?:[^(),{}`"]|`[^`]*`|"[^"]*"|\([^()]*\))+)/g;
    for (const [, action, expression] of text.matchAll(asks))
      found.push({ file: entry, action: action as Action, expression: expression!.trim() });
  }
  return found;
}

function kindsAt({ file, action, expression }: Site): readonly ResourceKind[] | undefined {
  const told = particular[`${file} ${action} ${expression}`];
  return told ?? expressions.find(([one]) => one.test(expression))?.[1];
}

describe("the kinds of resource of each action", () => {
  it("are those that the places name where they ask, as far as an action is asked there in so many words", () => {
    const all = sites();
    expect(all.length).toBeGreaterThan(60);
    const unknown = all.filter((site) => kindsAt(site) === undefined);
    expect(unknown).toEqual([]);
    // `*` is what all of an action is asked about by; of an action that has resources it is besides.
    const wrong = all.filter((site) => {
      const kinds = kindsAt(site)!.filter((kind) => kind !== "none" || !hasResources(site.action));
      return kinds.some((kind) => !resourceKinds[site.action].includes(kind));
    });
    expect(wrong).toEqual([]);
  });

  it("are each named somewhere, and no action is in the table that nobody asks about", () => {
    const named = new Map<Action, Set<ResourceKind>>(actions.map((action) => [action, new Set()]));
    for (const site of sites()) for (const kind of kindsAt(site) ?? []) named.get(site.action)!.add(kind);
    // Sends name their recipients, and locks what is wished for, in lists; the command line alone asks these.
    for (const [action, kinds] of [
      ["mailbox.send", ["agent", "queue", "everyone"]],
      ["topic.publish", ["topic"]],
      ["lock.acquire", ["lock"]],
      ["admin.audit", ["none"]],
    ] as const)
      for (const kind of kinds) named.get(action)!.add(kind);
    const vain = actions.flatMap((action) =>
      resourceKinds[action]
        .filter((kind) => !named.get(action)!.has(kind))
        .map((kind) => `${action} ${kind}`),
    );
    expect(vain).toEqual([]);
  });

  it("of a room, or of all, are those of all its actions", () => {
    expect([...kindsOf("mailbox.*")].sort()).toEqual(["agent", "everyone", "queue"]);
    expect([...kindsOf("lock.*")]).toEqual(["lock"]);
    expect([...kindsOf("*")].sort()).toEqual([
      "agent",
      "everyone",
      "lock",
      "none",
      "queue",
      "state",
      "topic",
    ]);
    for (const action of actions) expect([...kindsOf(action)]).toEqual(resourceKinds[action]);
  });

  it.each([
    ["*", undefined],
    ["everyone", "everyone"],
    ["topic:a.**", "topic"],
    ["state:*", "state"],
    ["queue:*", "queue"],
    ["agent:*", "agent"],
    ["lock:src/**", "lock"],
    ["alice", "agent"],
  ])("%s is of the kind %s", (resource, kind) => {
    expect(kindOf(resource)).toBe(kind);
  });
});

function hasResources(action: Action): boolean {
  return !resourceKinds[action].includes("none");
}
