import { afterEach, expect, it } from "vitest";
import { Access, AgentRecords } from "../../src/agents/index.js";
import {
  type Caller,
  localPrincipal,
  operatorPrincipal,
  type Principal,
  parseAuditRow,
  type RunId,
} from "../../src/identity/index.js";
import { directoryKeys, Hints, Store } from "../../src/redis/index.js";
import { describeOnEachStore, patientMs } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

interface Process {
  readonly store: Store;
  readonly access: Access;
  readonly records: AgentRecords;
}

describeOnEachStore("what is recorded of agents", (store) => {
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });
  const open = async (): Promise<Process> => {
    const opened = await Store.open({
      endpoint: { url: store().url },
      label: "test",
      callTimeoutMs: patientMs,
    });
    const hints = new Hints({ url: store().url });
    const access = new Access({ store: opened, hints });
    closing.push(() => {
      hints.close();
      opened.close();
    });
    const admit: Access["admit"] = (caller, action, resource) => access.admit(caller, action, resource);
    return { store: opened, access, records: new AgentRecords({ access, admit }) };
  };
  const callerOf = (principal: Principal): Caller => ({ principal, run: { id: "x/test" as RunId } });
  const operatorOf = (namespace: string): Caller => callerOf(operatorPrincipal(namespace));

  it("is changed word by word, and empty words take it back", async () => {
    const [{ store: opened, access, records }, namespace] = [await open(), newNamespace()];
    const operator = operatorOf(namespace);
    expect(await access.factsOf(namespace, "alice")).toEqual({ role: "", team: "", labels: {} });
    await records.set(operator, "alice", { role: "junior", labels: { tier: "gold", area: "eu" } });
    await records.set(operator, "alice", { team: "payments", labels: { area: "us" }, unlabel: ["tier"] });
    expect(await access.factsOf(namespace, "alice")).toEqual({
      role: "junior",
      team: "payments",
      labels: { area: "us" },
    });
    await records.set(operator, "alice", { role: "", team: "", unlabel: ["area"] });
    expect(await access.factsOf(namespace, "alice")).toEqual({ role: "", team: "", labels: {} });
    expect((await opened.hash(directoryKeys(namespace).access)).has("facts:alice")).toBe(false);
  });

  it("holds in every process within a second", async () => {
    const [one, two, namespace] = [await open(), await open(), newNamespace()];
    await two.access.factsOf(namespace, "alice");
    const from = Date.now();
    await one.records.set(operatorOf(namespace), "alice", { role: "senior" });
    await expect
      .poll(async () => (await two.access.factsOf(namespace, "alice")).role, { interval: 10, timeout: 2_000 })
      .toBe("senior");
    expect(Date.now() - from).toBeLessThan(1_000);
  });

  it("is changed by several at once without one undoing the other", async () => {
    const [one, two, namespace] = [await open(), await open(), newNamespace()];
    const operator = operatorOf(namespace);
    await Promise.all([
      one.records.set(operator, "alice", { labels: { a: "1" } }),
      two.records.set(operator, "alice", { labels: { b: "2" } }),
      one.records.set(operator, "alice", { role: "junior" }),
    ]);
    expect(await two.access.rulesNow(namespace).then(({ facts }) => facts.get("alice"))).toEqual({
      role: "junior",
      team: "",
      labels: { a: "1", b: "2" },
    });
  });

  it("is not changed by what a JWT or a caller says of itself", async () => {
    const [{ access, records }, namespace] = [await open(), newNamespace()];
    await records.set(operatorOf(namespace), "alice", { role: "junior" });
    const boastful = {
      ...localPrincipal(namespace, "alice"),
      verified: true,
      roles: ["admin"],
      role: "admin",
      team: "everything",
      labels: { tier: "gold" },
      credential: { kind: "jwt", id: "j1", expiresAt: Date.now() + 60_000 },
    } as const;
    await access.admit(callerOf(boastful), "agents.find", "*");
    expect(await access.factsOf(namespace, boastful.agent)).toEqual({ role: "junior", team: "", labels: {} });
  });

  it("is changed by whoever has admin.agents and nobody else, and leaves a row", async () => {
    const [{ store: opened, records }, namespace] = [await open(), newNamespace()];
    const alice = callerOf(localPrincipal(namespace, "alice"));
    await expect(records.set(alice, "alice", { role: "admin" })).rejects.toMatchObject({
      code: "access.denied",
    });
    await records.set(callerOf({ ...alice.principal, roles: ["admin"] }), "bob", { role: "junior" });
    const { audit } = directoryKeys(namespace);
    const rows = (await opened.command("LRANGE", audit, 0, -1)) as string[];
    expect(rows.map((row) => parseAuditRow(row.slice(row.indexOf("|") + 1)))).toMatchObject([
      { agent: "alice", action: "admin.agents", resource: "bob", outcome: "allow" },
    ]);
  });

  it("is words of the alphabet of names, at most 32 labels", async () => {
    const [{ records, access }, namespace] = [await open(), newNamespace()];
    const operator = operatorOf(namespace);
    for (const change of [
      { role: "Junior" },
      { role: "a b" },
      { team: "x".repeat(64) },
      { labels: { "no spaces": "x" } },
      { labels: { "": "x" } },
      { labels: { ok: "ü" } },
      { unlabel: ["*"] },
    ])
      await expect(records.set(operator, "alice", change)).rejects.toMatchObject({ code: "input.invalid" });
    const labels = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`label-${n}`, "x".repeat(63)]));
    await records.set(operator, "alice", { role: "x".repeat(63), labels: labels(32) });
    await expect(records.set(operator, "alice", { labels: { more: "x" } })).rejects.toMatchObject({
      code: "input.invalid",
    });
    expect(Object.keys((await access.factsOf(namespace, "alice")).labels)).toHaveLength(32);
  });
});
