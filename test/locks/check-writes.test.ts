import { describe, expect, it } from "vitest";
import { parseResources } from "../../src/addresses/index.js";
import type { Entry } from "./check-history.js";
import { checkWrites, type Written } from "./check-writes.js";

/** A lease as it was granted or prolonged; lock time is 1,000 ms ahead of the store's clock. */
const held = (agent: string, token: number, resource: string, nowMs: number, due: number): Entry => ({
  ...{ what: "put", script: "acquire-lock", nowMs, lockMs: nowMs + 1_000 },
  request: {
    ...{ id: `lk-${token}`, run: `${agent}/run`, process: "p", mode: "x", priority: 5, arrival: token },
    ...{ leaseMs: 1_000, state: "held", token, due, base: 0, skipped: false, restMs: 0 },
    ...{ resources: parseResources([resource]), asked: resource, arrivedAt: token / 1_000 },
  },
});
const write = (version: number, by: string, at: number, token: number, given: string): Written => {
  const [resource] = parseResources([given]);
  return { version, by, at, token, resource: resource! };
};

describe("what is written under locks", () => {
  const history = [
    held("alice", 10, "src/a.ts", 100, 2_100),
    held("alice", 10, "src/a.ts", 900, 2_900),
    held("bob", 20, "src/**", 1_900, 3_900),
  ];

  it("is right under a lease that goes on, also after it was prolonged", () => {
    const writes = [
      write(1, "alice", 500, 10, "src/a.ts"),
      write(2, "alice", 1_899, 10, "src/a.ts"),
      write(3, "bob", 2_899, 20, "src/lib/c.ts"),
    ];
    expect(checkWrites(history, writes)).toEqual([]);
  });

  it.each([
    ["that nobody was given", write(1, "alice", 500, 11, "src/a.ts"), "that token was never given"],
    ["of somebody else", write(1, "bob", 500, 10, "src/a.ts"), "it is the one of alice/run"],
    ["for more than it is for", write(1, "alice", 500, 10, "src/**"), "its lease is for src/a.ts"],
    ["that is over", write(1, "alice", 1_900, 10, "src/a.ts"), "its lease was over for 0 ms"],
  ])("is wrong with a token %s", (_, written, problem) => {
    expect(checkWrites(history, [written])).toEqual([
      `${written.by} wrote ${written.resource} with ${written.token}: ${problem}`,
    ]);
  });

  it("is wrong with an older token after a newer one for what overlaps it, whatever the clock says", () => {
    const writes = [write(8, "alice", 1_800, 10, "src/a.ts"), write(7, "bob", 1_950, 20, "src/**")];
    expect(checkWrites(history, writes)).toEqual([
      "alice wrote src/a.ts with 10: bob had written src/** with 20",
    ]);
  });

  it("is right with an older token for what has nothing to do with the newer one", () => {
    const leases = [held("alice", 10, "docs/a.md", 100, 3_900), held("bob", 20, "src/**", 200, 3_900)];
    const writes = [write(7, "bob", 1_800, 20, "src/**"), write(8, "alice", 1_900, 10, "docs/a.md")];
    expect(checkWrites(leases, writes)).toEqual([]);
  });
});
