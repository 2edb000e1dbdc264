import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseGrant } from "../../src/agents/grant.js";
import { Access } from "../../src/agents/index.js";
import { isRefusal } from "../../src/errors/index.js";
import { localPrincipal } from "../../src/identity/index.js";
import { getState, putState } from "../../src/state/index.js";
import { startStore, type TestStore } from "../stores/index.js";
import { StateDesk } from "./state-desk.js";

describe("grants on shared state", () => {
  let store: TestStore;
  let office: StateDesk;
  let desk: StateDesk;
  beforeAll(async () => {
    store = await startStore("redis-server");
    office = await StateDesk.open(store.url);
  });
  afterAll(async () => {
    office.close();
    await store.stop();
  });
  beforeEach(() => {
    desk = office.other();
  });

  const grant = async (
    who: string,
    action: string,
    resource: string,
    effect: "allow" | "deny",
    id = `${who}-${action}-${resource}`,
  ): Promise<void> => {
    const rule = { id, ...parseGrant({ who, action, resource }), effect, createdAt: 1, by: "operator" };
    await desk.access.change(desk.namespace, [{ field: `grant:${id}`, value: JSON.stringify(rule) }], {
      row: "",
    });
  };
  const denied = async (doing: Promise<unknown>): Promise<boolean> => {
    try {
      await doing;
      return false;
    } catch (error) {
      if (!isRefusal(error, "access.denied")) throw error;
      return true;
    }
  };

  it("are written as state: and a key, for what is below it too", () => {
    const resource = (given: string): string =>
      parseGrant({ who: "bob", action: "state.*", resource: given }).resource;
    expect(resource("state:Plan/Owner/")).toBe("state:plan/owner");
    expect(resource("state:*")).toBe("state:*");
    expect(() => resource("state:a/../b")).toThrow(/^state\.key_invalid/);
  });

  it("take away what an agent may otherwise: a key that is denied is neither read, written, watched nor listed", async () => {
    for (const key of ["plan/a", "plan/secret", "plan/secret/x", "plan/secrets"]) await desk.put(key, "1");
    await grant("bob", "state.*", "state:plan/secret", "deny");
    expect(await denied(desk.get("plan/secret"))).toBe(true);
    expect(await denied(desk.get("plan/secret/x"))).toBe(true);
    expect(await denied(desk.get("plan/secret/not-there"))).toBe(true);
    expect(await denied(desk.put("plan/secret", "2", { by: "bob" }))).toBe(true);
    expect(await denied(desk.delete("plan/secret/x", { by: "bob" }))).toBe(true);
    expect(await denied(desk.watch("plan/secret", () => {}))).toBe(true);
    expect(await denied(desk.versions("plan/secret"))).toBe(true);
    expect(await denied(desk.list("plan/secret/"))).toBe(true);
    expect(await desk.listAll("plan/")).toEqual(["plan/a", "plan/secrets"]);
    expect(await desk.listAll("")).toEqual(["plan/a", "plan/secrets"]);
    expect((await desk.get("plan/secret", "alice"))?.value).toBe("1");
  });

  it("let an observer read and not write", async () => {
    const observer = {
      ...desk.caller("olga"),
      principal: { ...localPrincipal(desk.namespace, "olga"), roles: ["observer"] as const },
    };
    await desk.put("plan/a", "1");
    expect((await getState(desk.context, observer, { key: "plan/a" })).entries).toHaveLength(1);
    expect(await denied(putState(desk.context, observer, { key: "plan/a", value: "2" }))).toBe(true);
    await grant("olga", "state.write", "state:plan", "allow");
    expect((await putState(desk.context, observer, { key: "plan/a", value: "2" })).state).toBe("stored");
    expect(await denied(putState(desk.context, observer, { key: "other", value: "2" }))).toBe(true);
  });

  it("show a conflict without its value to whoever may write and not read", async () => {
    await desk.put("plan/a", "1");
    await grant("bob", "state.read", "state:plan", "deny");
    expect(await desk.put("plan/a", "2", { by: "bob", expected_version: 0 })).toEqual({
      key: "plan/a",
      state: "conflict",
      replayed: false,
    });
  });

  it("hold for whoever already watches", async () => {
    const heard: string[] = [];
    const stop = await desk.watch("plan/a", () => heard.push("bob"));
    const other = await desk.watch("plan/a", () => heard.push("alice"), "alice");
    await desk.put("plan/a", "1");
    await expect.poll(() => heard.toSorted()).toEqual(["alice", "bob"]);
    await grant("bob", "state.read", "state:plan", "deny");
    heard.length = 0;
    await desk.put("plan/a", "2");
    await expect.poll(() => heard).toContain("alice");
    await desk.put("plan/a", "3");
    await expect.poll(() => heard.length).toBe(2);
    expect(heard).toEqual(["alice", "alice"]);
    stop();
    other();
  });

  it("keep namespaces apart", async () => {
    await desk.put("plan/a", "1");
    const elsewhere = office.other();
    expect(await elsewhere.get("plan/a")).toBeUndefined();
    expect(await elsewhere.listAll("")).toEqual([]);
    expect(elsewhere.access).toBeInstanceOf(Access);
  });
});
