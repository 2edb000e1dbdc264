import { afterEach, expect, it } from "vitest";
import { AuditDesk, told } from "../audit/audit-desk.js";
import { describeOnEachStore } from "../stores/index.js";

describeOnEachStore("the audit of shared state", (store) => {
  let desk: AuditDesk;
  afterEach(() => desk.close());

  async function rowsOf(act: () => Promise<unknown>): Promise<readonly string[]> {
    const before = await desk.events();
    await act().catch(() => {});
    return (await desk.eventsSince(before)).map(told);
  }

  it("has one row for each write, read and refusal, whatever came of it, and none of what was written", async () => {
    desk = await AuditDesk.open(store().url);
    const { state } = desk.house.rooms;
    const { caller } = await desk.begin("alice");
    const write = "alice state.write state:plan/owner allow role agent";
    const put = (more: object) =>
      rowsOf(() => state.putState(caller, { key: "plan/owner", value: "secret", ...more }));
    expect(await put({ idempotency_key: "k" })).toEqual([write]);
    expect(await put({ idempotency_key: "k" })).toEqual([write]);
    expect(await put({ expected_version: 0 })).toEqual([write]);
    const end = (): Promise<unknown> => state.putState(caller, { key: "plan/owner", delete: true });
    expect(await rowsOf(end)).toEqual([write]);
    expect(await rowsOf(end)).toEqual([write]);
    expect(await rowsOf(() => state.getState(caller, { key: "Plan/Owner" }))).toEqual([
      "alice state.read state:plan/owner allow role agent",
    ]);
    expect(await rowsOf(() => state.getState(caller, { prefix: "plan/" }))).toEqual([
      "alice state.read state:plan allow role agent",
    ]);
    expect(await rowsOf(() => state.getState(caller, { prefix: "" }))).toEqual([
      "alice state.read * allow role agent",
    ]);
    const refused = await put({ key: "plan/\u202e" });
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatch(/^alice state\.write \? refuse state\.key_invalid/);
    const all = JSON.stringify(await desk.events());
    expect(all).not.toContain("secret");
    expect(all).not.toContain("\u202e");
  });
});
