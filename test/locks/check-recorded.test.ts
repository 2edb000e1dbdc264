import { describe, expect, it } from "vitest";
import { parseResources } from "../../src/addresses/index.js";
import type { Entry, Recorded } from "./check-history.js";
import { checkRecorded } from "./check-recorded.js";

const resources = parseResources(["x"]);
const lease = (agent: string, token: number, state = "held"): Recorded => ({
  ...{ id: `lk-${token}`, run: `${agent}/run`, process: "p", mode: "x", priority: 5, arrival: token },
  ...{ leaseMs: 1_000, state, token, due: 1_000, base: 0, skipped: false, restMs: 0, resources },
  ...{ asked: "x", arrivedAt: token / 1_000 },
});
const entry = (what: Entry["what"], script: string, request?: Recorded): Entry => ({
  ...{ what, script, nowMs: 1, lockMs: 1 },
  ...(request ? { request } : {}),
});
const told = (agent: string, token: number) => ({
  ...{ agent, token, id: `lk-${token}`, mode: "exclusive", resources, from: 0, until: 1_000 },
});

describe("what is recorded of locks", () => {
  const history = [
    entry("begin", "acquire-lock"),
    entry("put", "acquire-lock", lease("alice", 1)),
    entry("begin", "release-lock"),
    entry("remove", "release-lock", lease("alice", 1)),
    entry("begin", "acquire-lock"),
    entry("put", "acquire-lock", lease("bob", 2)),
    entry("begin", "renew-locks"),
    entry("begin", "beat-locks"),
  ];
  const done = { told: [told("alice", 1), told("bob", 2)], released: ["lk-1"] };
  const processes = [["alice"], ["bob"]];

  it("is all there", () => {
    expect(checkRecorded(history, done, processes)).toEqual([]);
  });

  it("is missed where nothing was recorded", () => {
    const missing = checkRecorded([], done, processes);
    expect(missing).toContain("the history does not have the grant of lk-1 to alice with 1");
    expect(missing).toContain("the history does not have the release of lk-1");
    expect(missing).toContain("the history does not have anything of the process of bob");
    expect(missing).toContain("the history does not have one run of beat-locks");
    expect(missing).toContain("the history does not have as many steps as there were grants and releases");
  });

  it("is missed where one process did not record", () => {
    const others = history.filter(({ request }) => request?.run !== "bob/run");
    expect(checkRecorded(others, done, processes)).toEqual([
      "the history does not have the grant of lk-2 to bob with 2",
      "the history does not have anything of the process of bob",
    ]);
  });

  it.each([
    ["another agent", lease("carl", 2)],
    ["another token", { ...lease("bob", 2), token: 3 }],
    ["a place", lease("bob", 2, "waiting")],
  ])("is missed where the grant is there as %s", (_, request) => {
    const altered = history.map((one) => (one.request?.run === "bob/run" ? { ...one, request } : one));
    expect(checkRecorded(altered, done, [["alice"]])).toEqual([
      "the history does not have the grant of lk-2 to bob with 2",
    ]);
  });

  it("is missed where nobody got anything", () => {
    expect(checkRecorded(history, { told: [], released: [] }, processes)).toEqual(["nothing was granted"]);
  });
});
