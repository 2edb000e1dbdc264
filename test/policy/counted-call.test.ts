import { expect, it } from "vitest";
import { callNameOf, namesBehind } from "../../src/policy/counted-call.js";

it("names all that a call with a key wishes by one look at what it was given", () => {
  let lists = 0;
  const given = new Proxy<Record<string, unknown>>(
    { to: ["bob"], body: "x" },
    {
      ownKeys: (target) => {
        lists++;
        return Reflect.ownKeys(target);
      },
    },
  );
  const names = new Set<string>();
  const wishes = Array.from({ length: 200 }, (_, n) => ["mailbox.send", `agent-${n}`] as const);
  for (const [n, [action, resource]] of wishes.entries()) {
    const asked = { arguments: given, idempotencyKey: "k", behind: wishes.slice(n + 1) };
    names.add(callNameOf("alice", action, resource, given, "k"));
    for (const name of namesBehind("alice", asked)) names.add(name);
  }
  expect(names.size).toBe(200);
  expect(lists).toBe(1);
  expect(callNameOf("alice", "mailbox.send", "agent-0", { to: ["bob"], body: "x" }, "k")).toBe([...names][0]);
  expect(names).not.toContain(
    callNameOf("alice", "mailbox.send", "agent-0", { to: ["bob"], body: "y" }, "k"),
  );
});
