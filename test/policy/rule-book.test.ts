import { afterEach, describe, expect, it } from "vitest";
import { Access } from "../../src/agents/index.js";
import { type Caller, localPrincipal, operatorPrincipal, type RunId } from "../../src/identity/index.js";
import { type InForce, RuleBook } from "../../src/policy/index.js";
import { Hints, policyKeys, Store } from "../../src/redis/index.js";
import { StoreProxy } from "../faults/store-proxy.js";
import { describeOnEachStore, patientMs, startStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

/** One process: its own connections, its own memory of the rules. */
interface Process {
  readonly book: RuleBook;
  readonly store: Store;
  readonly hints: Hints;
  readonly log: string[];
  effect(namespace: string, action?: string): Promise<string>;
  close(): void;
}

const operatorOf = (namespace: string): Caller => ({
  principal: operatorPrincipal(namespace),
  run: { id: "operator/1" as RunId },
});

/** A rule set by which one action has one effect. */
const rules = (effect: string, action = "file.delete"): string => `version: 1
rules:
  - id: only
    actions: ["${action}"]
    effect: ${effect}
`;

/** The same, in so many rules that reading them takes long. */
function long(effect: string, count: number): string {
  const many = Array.from({ length: count }, (_, n) => ({
    ...{ id: `r${n}`, actions: [n === count - 1 ? "file.delete" : `area${n}.change`], effect },
    when: `agent.role != "role${n}" && !("x${n}" in agent.labels)`,
  }));
  return JSON.stringify({ version: 1, rules: many });
}

async function openProcess(url: string, hintsUrl: string = url): Promise<Process> {
  const store = await Store.open({ endpoint: { url }, label: "test", callTimeoutMs: patientMs });
  const hints = new Hints({ url: hintsUrl });
  const access = new Access({ store, hints });
  const log: string[] = [];
  const book = new RuleBook({
    store,
    hints,
    admit: (caller, action, resource) => access.admit(caller, action, resource),
    log: (event, facts) => log.push(`${event} ${JSON.stringify(facts)}`),
  });
  return {
    ...{ book, store, hints, log },
    effect: async (namespace, action = "file.delete") => ask(await book.inForce(namespace), action),
    close: () => {
      hints.close();
      store.close();
    },
  };
}

function ask({ rules: compiled }: InForce, action: string): string {
  return compiled.decide({
    agent: { name: "bob", role: "", team: "", labels: {}, roles: ["agent"], verified: true },
    action,
    resource: "",
    context: {},
    counts: {},
    reads: { unverified: [], foreign: [] },
    nowMs: Date.UTC(2026, 0, 14, 12),
  }).effect;
}

/** Changes the rules in one process, and asks the other until it has noticed; by the store's clock, in ms. */
async function noticedAfter(here: Process, there: Process, namespace: string): Promise<number> {
  const over = await here.book.newest(namespace);
  const next = (await there.effect(namespace)) === "deny" ? "require_approval" : "deny";
  await here.book.put(operatorOf(namespace), { text: rules(next), over });
  const putAt = here.store.now();
  expect(await here.effect(namespace)).toBe(next);
  while ((await there.effect(namespace)) !== next) await new Promise(setImmediate);
  return there.store.now() - putAt;
}

/** A second is promised; a busy machine may take a moment longer to ask. Freshness of some seconds fails. */
const noticedMostMs = 2_000;

describeOnEachStore("the rules of a namespace", (store) => {
  const open: Process[] = [];
  const processOf = async (): Promise<Process> => {
    const one = await openProcess(store().url);
    open.push(one);
    return one;
  };
  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });

  it("are the profile standard, version 0, as long as nothing was put", async () => {
    const { book } = await processOf();
    const namespace = newNamespace();
    expect((await book.inForce(namespace)).version).toBe(0);
    expect(await book.history(operatorOf(namespace))).toEqual([]);
    expect(await book.read(operatorOf(namespace))).toMatchObject({
      version: 0,
      text: "version: 1\nprofile: standard\n",
    });
    expect(await book.read(operatorOf(namespace), 0)).toMatchObject({ version: 0 });
  });

  it("hold in every process within a second of their change, and in the one that put them at once", async () => {
    const namespace = newNamespace();
    const [here, there] = [await processOf(), await processOf()];
    for (let n = 0; n < 3; n++)
      expect(await noticedAfter(here, there, namespace)).toBeLessThan(noticedMostMs);
  });

  it("hold within a second in a process that hears no hints", async () => {
    const namespace = newNamespace();
    const [here, deaf] = [await processOf(), await processOf()];
    await deaf.effect(namespace);
    deaf.hints.close();
    for (let n = 0; n < 3; n++) expect(await noticedAfter(here, deaf, namespace)).toBeLessThan(noticedMostMs);
  });

  it("stay in force where they are until others, which take long to read, are whole", async () => {
    const namespace = newNamespace();
    const [here, there] = [await processOf(), await processOf()];
    const operator = operatorOf(namespace);
    await here.book.put(operator, { text: rules("require_approval"), over: 0 });
    expect(await there.effect(namespace)).toBe("require_approval");
    await here.book.put(operator, { text: long("deny", 1_000), over: 1 });
    expect(await here.effect(namespace)).toBe("deny");
    const seen = new Set<string>();
    await until(async () => {
      const inForce = await there.book.inForce(namespace);
      seen.add(`${inForce.version} ${ask(inForce, "file.delete")}`);
      return inForce.version === 2;
    });
    expect([...seen].filter((one) => one !== "1 require_approval")).toEqual(["2 deny"]);
    expect(there.log).toEqual([]);
  });

  it("hold at once where they were put, also where others are put and read there at the same time", async () => {
    const [here, there] = [await processOf(), await processOf()];
    const namespaces = [newNamespace(), newNamespace()];
    for (const namespace of namespaces) {
      await here.book.put(operatorOf(namespace), { text: rules("allow"), over: 0 });
      expect(await here.effect(namespace)).toBe("allow");
    }
    await Promise.all(
      namespaces.map(async (namespace, n) => {
        await here.book.put(operatorOf(namespace), { text: long("deny", 400 + n), over: 1 });
        expect([n, await here.effect(namespace)]).toEqual([n, "deny"]);
      }),
    );
    // Those of another process are being read when newer ones are put here.
    const [namespace] = namespaces as [string];
    await there.book.put(operatorOf(namespace), { text: long("allow", 1_000), over: 2 });
    const earlier = here.book.inForce(namespace);
    await here.book.put(operatorOf(namespace), { text: rules("require_approval"), over: 3 });
    expect(await here.effect(namespace)).toBe("require_approval");
    await earlier;
    expect((await here.book.inForce(namespace)).version).toBe(4);
  });

  it("are kept with who put them, when, why and over which version, the newest first", async () => {
    const namespace = newNamespace();
    const { book, store: at } = await processOf();
    const operator = operatorOf(namespace);
    const before = Math.floor(at.now()) - 100;
    expect(await book.put(operator, { text: rules("deny"), over: 0, note: "begin" })).toEqual({
      state: "put",
      version: 1,
    });
    await book.put(operator, { text: rules("allow"), over: 1 });
    const [second, first] = await book.history(operator);
    expect(first).toMatchObject({ version: 1, by: "operator", note: "begin", over: 0 });
    expect(second).toMatchObject({ version: 2, by: "operator", over: 1, bytes: rules("allow").length });
    expect(second).not.toHaveProperty("note");
    expect(first!.at).toBeGreaterThan(before);
    expect(second!.at).toBeGreaterThanOrEqual(first!.at);
    expect(await book.read(operator, 1)).toEqual({ ...first, text: rules("deny") });
    expect(await book.read(operator)).toEqual({ ...second, text: rules("allow") });
    await expect(book.read(operator, 3)).rejects.toThrow(/^policy.unknown_version: there is no version 3/);
  });

  it("are not put over others than those they were made from", async () => {
    const namespace = newNamespace();
    const [here, there] = [await processOf(), await processOf()];
    await here.book.put(operatorOf(namespace), { text: rules("deny"), over: 0 });
    await expect(there.book.put(operatorOf(namespace), { text: rules("allow"), over: 0 })).rejects.toThrow(
      /^policy.superseded: version 1 of the rules, put by operator, is in force, and these were made from version 0.*diff 0 1.*--over 1/,
    );
    await expect(there.book.rollback(operatorOf(namespace), 0, { over: 0 })).rejects.toThrow(
      /^policy.superseded/,
    );
    await expect(there.book.put(operatorOf(namespace), { text: rules("allow"), over: 2 })).rejects.toThrow(
      /^policy.superseded/,
    );
    expect(await there.effect(namespace)).toBe("deny");
    expect(await here.book.newest(namespace)).toBe(1);
  });

  it("are put by exactly one of many who put at once over the same version", async () => {
    const namespace = newNamespace();
    const [here, there] = [await processOf(), await processOf()];
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) =>
        [here, there][n % 2]!.book.put(operatorOf(namespace), {
          text: rules("deny", `file.delete${n}`),
          over: 0,
        }),
      ),
    );
    const won = outcomes.filter(({ status }) => status === "fulfilled");
    expect(won).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === "rejected") expect(String(outcome.reason)).toContain("policy.superseded");
    expect(await here.book.history(operatorOf(namespace))).toHaveLength(1);
  });

  it("make no new version when they say exactly what is in force", async () => {
    const namespace = newNamespace();
    const { book } = await processOf();
    await book.put(operatorOf(namespace), { text: rules("deny"), over: 0 });
    expect(await book.put(operatorOf(namespace), { text: rules("deny"), over: 1 })).toEqual({
      state: "same",
      version: 1,
    });
    expect(await book.history(operatorOf(namespace))).toHaveLength(1);
  });

  it("go back to what an earlier version said by a new version", async () => {
    const namespace = newNamespace();
    const here = await processOf();
    const operator = operatorOf(namespace);
    await here.book.put(operator, { text: rules("deny"), over: 0 });
    await here.book.put(operator, { text: rules("require_approval"), over: 1 });
    expect(await here.effect(namespace)).toBe("require_approval");
    await here.book.rollback(operator, 1, { over: 2, note: "too slow" });
    expect(await here.effect(namespace)).toBe("deny");
    expect((await here.book.history(operator))[0]).toMatchObject({
      ...{ version: 3, over: 2, rollbackTo: 1, note: "too slow" },
    });
    await here.book.rollback(operator, 0, { over: 3 });
    expect((await here.book.read(operator)).text).toBe("version: 1\nprofile: standard\n");
    await expect(here.book.rollback(operator, 9, { over: 4 })).rejects.toThrow(/^policy.unknown_version/);
  });

  it("stay in force, those that are, when what is put is none", async () => {
    const namespace = newNamespace();
    const here = await processOf();
    const operator = operatorOf(namespace);
    await here.book.put(operator, { text: rules("deny"), over: 0 });
    for (const text of [
      "rules: [",
      rules("forbid"),
      `${rules("allow")}    when: agent.rle == "x"\n`,
      `# ${"x".repeat(256 * 1024)}\n${rules("allow")}`,
    ])
      await expect(here.book.put(operator, { text, over: 1 })).rejects.toThrow(/^policy.invalid/);
    expect(await here.book.newest(namespace)).toBe(1);
    expect(await here.effect(namespace)).toBe("deny");
  });

  it("stay in force in a process that cannot read those of a newer program, which says why once", async () => {
    const namespace = newNamespace();
    const [here, late] = [await processOf(), await processOf()];
    const operator = operatorOf(namespace);
    await here.book.put(operator, { text: rules("require_approval"), over: 0 });
    await here.book.put(operator, { text: rules("deny"), over: 1 });
    expect(await here.effect(namespace)).toBe("deny");
    await putUnread(store().url, namespace, "version: 2\nrules: {}\n");
    await until(
      () => here.log.length > 0,
      () => here.effect(namespace),
    );
    for (let n = 0; n < 3; n++) expect(await here.effect(namespace)).toBe("deny");
    expect((await here.book.inForce(namespace)).version).toBe(2);
    expect(here.log).toHaveLength(1);
    expect(here.log[0]).toMatch(/cannot be read by this program.*"version":3.*policy\.invalid/);
    // A process that starts now has the newest that it can read.
    expect(await late.effect(namespace)).toBe("deny");
    expect(late.log).toHaveLength(1);
    // And what is put next, over that one, holds for all.
    await here.book.put(operator, { text: rules("allow"), over: 3 });
    expect(await here.effect(namespace)).toBe("allow");
    await until(async () => (await late.effect(namespace)) === "allow");
  });

  it("are kept in a hundred versions, the oldest go", async () => {
    const namespace = newNamespace();
    const { book } = await processOf();
    const operator = operatorOf(namespace);
    for (let over = 0; over < 102; over++)
      await book.put(operator, { text: rules("deny", `file.delete${over}`), over });
    const versions = (await book.history(operator)).map(({ version }) => version);
    expect([versions.length, versions[0], versions.at(-1)]).toEqual([100, 102, 3]);
    await expect(book.read(operator, 2)).rejects.toThrow(/^policy.unknown_version/);
    expect((await book.read(operator, 3)).text).toBe(rules("deny", "file.delete2"));
    await expect(book.rollback(operator, 1, { over: 102 })).rejects.toThrow(/^policy.unknown_version/);
  });

  it("are there again after the store and the process were started anew", async () => {
    const namespace = newNamespace();
    const here = await openProcess(store().url);
    await here.book.put(operatorOf(namespace), { text: rules("deny"), over: 0, note: "kept" });
    here.close();
    await store().restart();
    const again = await processOf();
    expect(await again.effect(namespace)).toBe("deny");
    expect(await again.book.history(operatorOf(namespace))).toMatchObject([{ version: 1, note: "kept" }]);
  });

  it("are for administrators alone", async () => {
    const namespace = newNamespace();
    const { book } = await processOf();
    const bob: Caller = {
      principal: localPrincipal(namespace, "bob"),
      run: { id: "bob/1" as RunId },
    };
    for (const attempt of [
      () => book.put(bob, { text: rules("allow"), over: 0 }),
      // Not even whether it would be valid.
      () => book.put(bob, { text: "rules: [", over: 0 }),
      () => book.rollback(bob, 0, { over: 0 }),
      () => book.history(bob),
      () => book.read(bob),
    ])
      await expect(attempt()).rejects.toThrow(/^access.denied/);
    expect(await book.newest(namespace)).toBe(0);
  });

  it("take a note of at most 500 characters", async () => {
    const namespace = newNamespace();
    const { book } = await processOf();
    const operator = operatorOf(namespace);
    await expect(book.put(operator, { text: rules("deny"), over: 0, note: "x".repeat(501) })).rejects.toThrow(
      /^input.invalid: the note/,
    );
    await book.put(operator, { text: rules("deny"), over: 0, note: "x".repeat(500) });
    expect(await book.newest(namespace)).toBe(1);
  });

  it("are asked for at most twice by 1,000 questions within a second, and read in whole only when they changed", async () => {
    const namespace = newNamespace();
    const here = await processOf();
    await here.book.put(operatorOf(namespace), { text: rules("deny"), over: 0 });
    const asked: string[] = [];
    const counting = {
      command: (...words: Parameters<Store["command"]>) => {
        asked.push(words[0]);
        return here.store.command(...words);
      },
    };
    const book = new RuleBook({
      store: counting as unknown as Store,
      hints: here.hints,
      admit: () => Promise.reject(new Error("nobody is admitted")),
      log: () => undefined,
    });
    const from = performance.now();
    for (let n = 0; n < 100; n++)
      await Promise.all(Array.from({ length: 10 }, () => book.inForce(namespace)));
    // Where the machine was so busy that it took longer, more may be asked: one more for each 750 ms.
    const more = Math.floor((performance.now() - from) / 750);
    const times = (word: string): number => asked.filter((one) => one === word).length;
    expect(times("HMGET")).toBeGreaterThanOrEqual(1);
    expect(times("HMGET")).toBeLessThanOrEqual(2 + more);
    expect(times("HGET")).toBe(1);
  });
});

describe("a process whose connection for hints is cut", () => {
  it("decides by new rules within a second all the same", async () => {
    const store = await startStore("embedded");
    const proxy = await StoreProxy.before(store.url);
    const here = await openProcess(store.url);
    const cut = await openProcess(store.url, proxy.url);
    try {
      await cut.effect("cut");
      await proxy.close();
      for (let n = 0; n < 3; n++) expect(await noticedAfter(here, cut, "cut")).toBeLessThan(noticedMostMs);
    } finally {
      here.close();
      cut.close();
      await store.stop();
    }
  });
});

describe("a put whose answer is lost", () => {
  it("is done once, and the repetition of it is told what was done", async () => {
    const store = await startStore("embedded");
    const proxy = await StoreProxy.before(store.url);
    const here = await openProcess(proxy.url, store.url);
    const operator = operatorOf("lost");
    try {
      await here.book.put(operator, { text: rules("deny"), over: 0 });
      const cut = proxy.arm({ nth: 1, when: "after" });
      const put = await here.book.put(operator, { text: rules("allow"), over: 1 });
      await cut;
      expect(put).toEqual({ state: "put", version: 2 });
      expect(await here.book.history(operator)).toHaveLength(2);
    } finally {
      here.close();
      await proxy.close();
      await store.stop();
    }
  });
});

/** Rules of a program that does not exist yet, put as it would. */
async function putUnread(url: string, namespace: string, text: string): Promise<void> {
  const store = await Store.open({ endpoint: { url }, label: "newer" });
  const { rules: key, channel } = policyKeys(namespace);
  const version = Number(await store.command("HGET", key, "current")) + 1;
  await store.command("HSET", key, `about:${version}`, `${Date.now()}|{"by":"operator","over":2}`);
  await store.command("HSET", key, `text:${version}`, text);
  await store.command("HSET", key, "current", String(version), "stamp", String(Date.now() * 1_000_000));
  await store.command("PUBLISH", channel, "rules");
  store.close();
}

async function until(
  done: () => boolean | Promise<boolean>,
  meanwhile: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  const from = performance.now();
  while (!(await done())) {
    await meanwhile();
    if (performance.now() - from > 10_000) throw new Error("it did not come to pass within 10 s");
    await new Promise(setImmediate);
  }
}
