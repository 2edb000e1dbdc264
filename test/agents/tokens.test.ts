import { afterEach, expect, it } from "vitest";
import { Access, Credentials, type IssuedToken, Tokens } from "../../src/agents/index.js";
import {
  type Caller,
  mintToken,
  operatorPrincipal,
  type Principal,
  type RunId,
} from "../../src/identity/index.js";
import { directoryKeys, Hints, Store } from "../../src/redis/index.js";
import { describeOnEachStore, patientMs } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

/** What one process has of the room. */
interface Process {
  readonly store: Store;
  readonly access: Access;
  readonly tokens: Tokens;
  readonly credentials: Credentials;
}

const day = 24 * 3_600_000;
const invalid = expect.objectContaining({ code: "auth.invalid" });

describeOnEachStore("tokens", (store) => {
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
    const tokens = new Tokens({
      store: opened,
      access,
      admit: (caller, action, resource) => access.admit(caller, action, resource),
      onRevoked: async () => undefined,
      record: async () => undefined,
    });
    const credentials = new Credentials({ access, tokens, log: () => undefined });
    closing.push(() => {
      credentials.close();
      hints.close();
      opened.close();
    });
    return { store: opened, access, tokens, credentials };
  };
  const asOperator = (namespace: string): Caller => callerOf(operatorPrincipal(namespace));
  const callerOf = (principal: Principal): Caller => ({ principal, run: { id: "x/test" as RunId } });
  const named = (namespace: string, agent: string): Caller =>
    callerOf({ namespace, agent, verified: false, roles: ["agent"], credential: { kind: "none" } });
  /** Answers after how many milliseconds it was refused, at most two seconds. */
  const refusedAfter = async (process: Process, caller: Caller, code: string): Promise<number> => {
    const from = Date.now();
    for (;;) {
      const refusal = await process.access.admit(caller, "agents.find", "*").then(
        () => undefined,
        (error: { code?: string }) => error.code,
      );
      if (refusal === code) return Date.now() - from;
      if (refusal !== undefined || Date.now() - from > 2_000) return Number.POSITIVE_INFINITY;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const principalOf = async (process: Process, { token }: IssuedToken): Promise<Caller> =>
    callerOf(await process.tokens.verify(token));

  it("prove an agent of their namespace, and nothing of them is kept but a hash", async () => {
    const [one, namespace] = [await open(), newNamespace()];
    const issued = await one.tokens.issue(asOperator(namespace), "alice", {
      ttlMs: 90 * day,
      note: "laptop",
    });
    expect(await one.tokens.verify(issued.token)).toEqual({
      namespace,
      agent: "alice",
      verified: true,
      roles: ["agent"],
      credential: { kind: "token", id: issued.id },
    });
    const kept = await one.store.hash(directoryKeys(namespace).tokens);
    expect([...kept.keys()]).toEqual([issued.id]);
    expect(JSON.parse(kept.get(issued.id)!)).toEqual({
      agent: "alice",
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      createdAt: issued.createdAt,
      expiresAt: issued.createdAt + 90 * day,
      by: "operator",
      note: "laptop",
    });
    const listed = await one.tokens.list(asOperator(namespace));
    expect(listed).toMatchObject([{ id: issued.id, agent: "alice", state: "live", by: "operator" }]);
    expect(JSON.stringify([listed, [...kept]])).not.toContain(issued.token.slice(-43));
    expect(JSON.stringify(listed)).not.toContain("hash");
  });

  it("that are malformed, unknown, wrong, of another namespace, expired or revoked are refused alike", async () => {
    const [one, namespace] = [await open(), newNamespace()];
    const operator = asOperator(namespace);
    const live = await one.tokens.issue(operator, "alice");
    const over = await one.tokens.issue(operator, "alice", { ttlMs: 1 });
    const revoked = await one.tokens.issue(operator, "alice");
    await one.tokens.revoke(operator, revoked.id);
    await expect.poll(() => one.store.now()).toBeGreaterThan(over.expiresAt!);
    const wrong = live.token.slice(0, -43) + mintToken(namespace).text.slice(-43);
    const foreign = live.token.replace(`lmt_${namespace}_`, "lmt_default_");
    const refusals = await Promise.all(
      ["", "lmt_x", mintToken(namespace).text, wrong, foreign, over.token, revoked.token].map((text) =>
        one.tokens.verify(text).then(
          () => "believed",
          (error: { code: string; message: string; facts: object }) => [
            error.code,
            error.message,
            error.facts,
          ],
        ),
      ),
    );
    for (const refusal of refusals) expect(refusal).toEqual(refusals[0]);
    expect(refusals[0]).toEqual(["auth.invalid", expect.any(String), {}]);
  });

  it("are required from the first on: who named itself is refused within a second, in another process too", async () => {
    const [one, two, namespace] = [await open(), await open(), newNamespace()];
    const alice = named(namespace, "alice");
    await two.access.admit(alice, "agents.find", "*");
    await one.tokens.issue(asOperator(namespace), "bob");
    expect(await refusedAfter(two, alice, "auth.required")).toBeLessThan(1_000);
    await expect(one.access.admit(alice, "agents.find", "*")).rejects.toMatchObject({
      code: "auth.required",
      message: expect.stringContaining("llm-mailbox agents issue NAME"),
    });
    // Other namespaces believe names as before.
    await one.access.admit(named(newNamespace(), "alice"), "agents.find", "*");
  });

  it("stay required when none is left", async () => {
    const [one, namespace] = [await open(), newNamespace()];
    const { id } = await one.tokens.issue(asOperator(namespace), "bob");
    await one.tokens.revoke(asOperator(namespace), id);
    await expect(one.access.admit(named(namespace, "bob"), "agents.find", "*")).rejects.toMatchObject({
      code: "auth.required",
    });
  });

  it("end with a revocation within a second in every process, and nobody else's do", async () => {
    const [one, two, namespace] = [await open(), await open(), newNamespace()];
    const operator = asOperator(namespace);
    const [ended, other] = [
      await one.tokens.issue(operator, "alice"),
      await one.tokens.issue(operator, "bob"),
    ];
    const [alice, bob] = [await principalOf(two, ended), await principalOf(two, other)];
    await two.access.admit(alice, "agents.find", "*");
    expect(await one.tokens.revoke(operator, ended.id)).toMatchObject({ state: "revoked" });
    expect(await refusedAfter(two, alice, "auth.invalid")).toBeLessThan(1_000);
    await expect(two.tokens.verify(ended.token)).rejects.toEqual(invalid);
    await two.access.admit(bob, "agents.find", "*");
    // Once more is the same.
    expect(await one.tokens.revoke(operator, ended.id)).toMatchObject({ state: "revoked" });
  });

  it("end within a second also when no hint arrives", async () => {
    const [one, two, namespace] = [await open(), await open(), newNamespace()];
    const issued = await one.tokens.issue(asOperator(namespace), "alice");
    const alice = await principalOf(two, issued);
    await two.access.admit(alice, "agents.find", "*");
    // The same change, written by somebody who tells nobody.
    const keys = directoryKeys(namespace);
    const record = JSON.parse((await one.store.hash(keys.tokens)).get(issued.id)!) as object;
    await one.store.command("HSET", keys.tokens, issued.id, JSON.stringify({ ...record, revokedAt: 1 }));
    await one.store.command("HSET", keys.access, "version", "9999999999999999");
    expect(await refusedAfter(two, alice, "auth.invalid")).toBeLessThan(1_000);
  });

  it("end at the instant they expire, without any change of the rules", async () => {
    const [one, namespace] = [await open(), newNamespace()];
    const issued = await one.tokens.issue(asOperator(namespace), "alice", { ttlMs: 400 });
    const alice = await principalOf(one, issued);
    await one.access.admit(alice, "agents.find", "*");
    await refusedAfter(one, alice, "auth.invalid");
    const late = one.store.now() - issued.expiresAt!;
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(1_000);
  });

  it("are looked at once for each version of the rules, not with every call", async () => {
    const [one, namespace] = [await open(), newNamespace()];
    const alice = await principalOf(one, await one.tokens.issue(asOperator(namespace), "alice"));
    await one.access.admit(alice, "agents.find", "*");
    const asked: string[] = [];
    const command = one.store.command.bind(one.store);
    one.store.command = (name, ...args) => {
      asked.push(`${name} ${String(args[0]).split(":").at(-1)}`);
      return command(name, ...args);
    };
    const from = Date.now();
    for (let n = 0; n < 500; n++) await one.access.admit(alice, "agents.find", "*");
    expect(asked.filter((words) => words === "HGET tokens")).toEqual([]);
    expect(asked.length).toBeLessThanOrEqual(1 + (Date.now() - from) / 750);
  });

  it("of somebody who proved nothing make no process follow the rules of a namespace", async () => {
    const one = await open();
    const asked: string[] = [];
    const command = one.store.command.bind(one.store);
    one.store.command = (name, ...args) => {
      asked.push(`${name} ${args[0]}`);
      return command(name, ...args);
    };
    const strange = newNamespace();
    await expect(one.tokens.verify(mintToken(strange).text)).rejects.toEqual(invalid);
    expect(asked).toEqual([`HGET ${directoryKeys(strange).tokens}`]);
  });

  it("are rotated with an overlap in which both hold, never longer than the old one would have held", async () => {
    const [one, namespace] = [await open(), newNamespace()];
    const operator = asOperator(namespace);
    const old = await one.tokens.issue(operator, "alice", { ttlMs: 90 * day });
    const before = one.store.now();
    const next = await one.tokens.rotate(operator, old.id, 300, { ttlMs: 90 * day });
    expect(next).toMatchObject({ agent: "alice", state: "live" });
    expect((await principalOf(one, old)).principal.agent).toBe("alice");
    const alice = await principalOf(one, next);
    const [, shortened] = await one.tokens.list(operator, "alice");
    expect(shortened!.expiresAt! - before).toBeLessThan(2_000);
    await expect.poll(() => one.store.now()).toBeGreaterThan(shortened!.expiresAt!);
    await expect(one.tokens.verify(old.token)).rejects.toEqual(invalid);
    await one.access.admit(alice, "agents.find", "*");

    const short = await one.tokens.issue(operator, "bob", { ttlMs: 60_000 });
    await one.tokens.rotate(operator, short.id, 3_600_000);
    const kept = (await one.tokens.list(operator, "bob")).find(({ id }) => id === short.id);
    expect(kept?.expiresAt).toBe(short.expiresAt);
    await expect(one.tokens.rotate(operator, old.id, 1_000)).rejects.toMatchObject({
      code: "auth.token_unknown",
    });
    await expect(one.tokens.rotate(operator, "0".repeat(16), 1)).rejects.toMatchObject({
      code: "auth.token_unknown",
    });
  });

  it("are recovered by ending all of an agent and issuing one, at once", async () => {
    const [one, two, namespace] = [await open(), await open(), newNamespace()];
    const operator = asOperator(namespace);
    const lost = [await one.tokens.issue(operator, "alice"), await one.tokens.issue(operator, "alice")];
    const other = await one.tokens.issue(operator, "alice2");
    const next = await two.tokens.recover(operator, "alice");
    for (const { token } of lost) await expect(two.tokens.verify(token)).rejects.toEqual(invalid);
    expect((await two.tokens.verify(next.token)).agent).toBe("alice");
    expect((await two.tokens.verify(other.token)).agent).toBe("alice2");
    expect(await one.tokens.revokeAll(operator, "alice")).toEqual([next.id]);
    expect(await one.tokens.revokeAll(operator, "alice")).toEqual([]);
  });

  it("are changed by many at once without losing a change", async () => {
    const [one, two, namespace] = [await open(), await open(), newNamespace()];
    const operator = asOperator(namespace);
    const first = await one.tokens.issue(operator, "alice", { ttlMs: 90 * day });
    const done = await Promise.allSettled([
      one.tokens.rotate(operator, first.id, 50_000),
      two.tokens.revoke(operator, first.id),
      ...Array.from({ length: 8 }, (_, n) => (n % 2 ? one : two).tokens.issue(operator, `agent-${n}`)),
    ]);
    expect(done[1]?.status).toBe("fulfilled");
    const listed = await one.tokens.list(operator);
    expect(listed.find(({ id }) => id === first.id)?.state).toBe("revoked");
    expect(listed.filter(({ agent }) => agent.startsWith("agent-")).length).toBe(8);
  });

  it("that have been over for 30 days are forgotten when another is issued", async () => {
    const [one, namespace] = [await open(), newNamespace()];
    const operator = asOperator(namespace);
    const [old, recent] = [
      await one.tokens.issue(operator, "alice"),
      await one.tokens.issue(operator, "alice"),
    ];
    const { tokens } = directoryKeys(namespace);
    const record = JSON.parse((await one.store.hash(tokens)).get(old.id)!) as object;
    for (const [id, days] of [
      [old.id, 31],
      [recent.id, 29],
    ] as const) {
      const revokedAt = Math.floor(one.store.now()) - days * day;
      await one.store.command("HSET", tokens, id, JSON.stringify({ ...record, revokedAt }));
    }
    const issued = await one.tokens.issue(operator, "bob");
    expect((await one.tokens.list(operator)).map(({ id }) => id).sort()).toEqual(
      [recent.id, issued.id].sort(),
    );
  });

  it("carry the roles that the namespace gives their agent, which a name alone does not", async () => {
    const [one, namespace] = [await open(), newNamespace()];
    const operator = asOperator(namespace);
    await one.tokens.setRoles(operator, "watcher", ["observer"]);
    const rolesOf = async (caller: Caller) => (await one.access.rightsOf(caller)).roles;
    expect(await rolesOf(named(namespace, "watcher"))).toEqual(["agent"]);
    const watcher = await principalOf(one, await one.tokens.issue(operator, "watcher"));
    expect(await rolesOf(watcher)).toEqual(["observer"]);
    await expect(one.access.admit(watcher, "mailbox.send", "bob")).rejects.toMatchObject({
      code: "access.denied",
    });
    const boss = await principalOf(one, await one.tokens.issue(operator, "boss", {}, ["admin"]));
    expect(await rolesOf(boss)).toEqual(["admin"]);
    await one.tokens.setRoles(boss, "watcher", []);
    expect(await rolesOf(watcher)).toEqual(["agent"]);
  });

  it("are issued, listed, rotated and revoked by nobody but the operator and admins", async () => {
    const [one, namespace] = [await open(), newNamespace()];
    const operator = asOperator(namespace);
    const issued = await one.tokens.issue(operator, "alice");
    const alice = await principalOf(one, issued);
    for (const attempt of [
      () => one.tokens.issue(alice, "alice"),
      () => one.tokens.list(alice),
      () => one.tokens.list(alice, "alice"),
      () => one.tokens.rotate(alice, issued.id, 1),
      () => one.tokens.revoke(alice, issued.id),
      () => one.tokens.revokeAll(alice, "alice"),
      () => one.tokens.recover(alice, "alice"),
      () => one.tokens.setRoles(alice, "alice", ["admin"]),
    ])
      await expect(attempt()).rejects.toMatchObject({ code: "access.denied" });
    await one.tokens.verify(issued.token);
  });

  it("tell whoever holds on to them when they end, once, and nobody else", async () => {
    const [one, two, namespace] = [await open(), await open(), newNamespace()];
    const operator = asOperator(namespace);
    const tokens = [
      await one.tokens.issue(operator, "alice"),
      await one.tokens.issue(operator, "alice", { ttlMs: 600 }),
      await one.tokens.issue(operator, "bob"),
    ];
    const ended: string[] = [];
    const codes = new Set<string>();
    const until = (name: string): Promise<void> =>
      expect.poll(() => ended, { timeout: 3_000 }).toContain(name);
    for (const [n, issued] of tokens.entries()) {
      const { principal } = await principalOf(two, issued);
      two.credentials.whileHolds(principal, (code) => {
        codes.add(code);
        ended.push(`first ${n}`);
      });
      two.credentials.whileHolds({ ...principal }, () => ended.push(`second ${n}`));
      two.credentials.whileHolds(principal, () => ended.push("given up"))();
    }
    await until("first 1");
    expect(one.store.now()).toBeLessThan(tokens[1]!.expiresAt! + 1_000);
    const from = Date.now();
    await one.tokens.revoke(operator, tokens[0]!.id);
    await until("second 0");
    expect(Date.now() - from).toBeLessThan(1_000);
    expect(ended.sort()).toEqual(["first 0", "first 1", "second 0", "second 1"]);
    expect([...codes]).toEqual(["auth.invalid"]);
  });
});
