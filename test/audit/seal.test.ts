import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { genesis, link, parseSealed, writeSealed } from "../../src/audit/chain.js";
import {
  type Evidence,
  exportAudit,
  publicKeyOf,
  readCheckpointFile,
  type Verified,
  verifyChain,
} from "../../src/audit/index.js";
import { auditKeys, mailboxKeys } from "../../src/redis/index.js";
import { StoreProxy } from "../faults/store-proxy.js";
import { describeOnEachStore, startStore, type TestStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { AuditDesk, byHand, type DeskOptions } from "./audit-desk.js";

/** What is known outside the store, as the command line collects it. */
function evidence(desk: AuditDesk): Evidence {
  const own = publicKeyOf(join(desk.folder, "key.pem"));
  const file = readCheckpointFile(desk.checkpoints);
  return { keys: [...(own ? [own] : []), ...file.keys], checkpoints: file.checkpoints };
}

function verify(desk: AuditDesk, known: Evidence = evidence(desk)): Promise<Verified> {
  return verifyChain(desk.house.store, desk.namespace, known);
}

/** Records this many decisions in several slots, as if they had been calls. */
async function recordMany(desk: AuditDesk, count: number): Promise<void> {
  const callers = await Promise.all(["ann", "ben", "cleo"].map((name) => desk.begin(name)));
  const row = (n: number): string =>
    JSON.stringify({ i: `${n}`, w: "ann", a: "mailbox.send", o: "ben", d: "allow", y: "role agent" });
  // Several rows of one slot can be recorded at once, as those of a send to several are.
  await Promise.all(
    callers.map(({ caller }, one) =>
      desk.house.recorder.record(caller, {
        row: Array.from({ length: count }, (_, n) => n)
          .filter((n) => n % callers.length === one)
          .map(row)
          .join("\n"),
      }),
    ),
  );
}

async function sealedIds(desk: AuditDesk): Promise<string[]> {
  const ids: string[] = [];
  for await (const { row } of exportAudit(desk.house.store, desk.namespace))
    ids.push((JSON.parse(row) as { i: string }).i);
  return ids;
}

describeOnEachStore("the sealed audit", (store) => {
  const desks: AuditDesk[] = [];
  const open = async (more: DeskOptions = {}): Promise<AuditDesk> => {
    const desk = await AuditDesk.open(store().url, more);
    desks.push(desk);
    return desk;
  };
  afterEach(async () => {
    await Promise.all(desks.splice(0).map((desk) => desk.close()));
  });

  it("has every row once, in order, linked and signed, and leaves none in the slots", async () => {
    const desk = await open();
    await recordMany(desk, 1_250);
    const before = await desk.events();
    expect(await desk.sealer().seal(desk.namespace)).toBe(1_250);
    const after = await desk.events();
    expect(after.map(({ id }) => id).sort()).toEqual(before.map(({ id }) => id).sort());
    expect(after.map(({ number }) => number).sort((a, b) => a! - b!)).toEqual(
      Array.from({ length: 1_250 }, (_, n) => n + 1),
    );
    // Signed after each 1,000 and at the end.
    expect(await verify(desk)).toEqual({ first: 1, last: 1_250, checkpoints: 2, unsigned: 0 });
    expect(await desk.sealer().seal(desk.namespace)).toBe(0);
    await recordMany(desk, 10);
    expect(await desk.sealer().seal(desk.namespace)).toBe(10);
    expect(await verify(desk)).toMatchObject({ last: 1_260, unsigned: 0 });
  });

  it("is sealed by a server that no agent has called yet", async () => {
    const desk = await open({ seal: { everyMs: 200, leaveMs: 100, signMs: 300 } });
    await desk.house.directory.createQueue(desk.namespace, "builds", {}, { row: '{"i":"1","w":"operator"}' });
    desk.house.runs.attend();
    await expect
      .poll(() => verify(desk), { timeout: 20_000, interval: 200 })
      .toMatchObject({ first: 1, last: 1, unsigned: 0 });
  });

  it("is sealed by one of the processes of a namespace, by itself", async () => {
    const seal = { everyMs: 200, leaveMs: 100, signMs: 300 };
    const one = await open({ seal });
    await open({ namespace: one.namespace, dataDir: one.house.config.dataDir, seal });
    await recordMany(one, 30);
    await expect
      .poll(() => verify(one), { timeout: 20_000, interval: 200 })
      .toMatchObject({
        last: 30,
        unsigned: 0,
      });
    expect(new Set(await sealedIds(one)).size).toBe(30);
  });

  it("is not forked by two sealers at once, whatever they see of each other", async () => {
    const desk = await open();
    const expected: string[] = [];
    for (let round = 0; round < 5; round++) {
      await recordMany(desk, 300);
      expected.push(...Array.from({ length: 300 }, (_, n) => `${n}`));
      await Promise.all([desk.sealer(), desk.sealer(), desk.sealer()].map((one) => one.seal(desk.namespace)));
    }
    await desk.sealer().seal(desk.namespace);
    expect((await sealedIds(desk)).sort()).toEqual(expected.sort());
    expect(await verify(desk)).toMatchObject({ last: 1_500, unsigned: 0 });
  });

  it("leaves young rows where a repetition of their call looks for them", async () => {
    const desk = await open();
    await recordMany(desk, 10);
    expect(await desk.sealer({ leaveMs: 60_000 }).seal(desk.namespace)).toBe(0);
    expect(await desk.sealer().seal(desk.namespace)).toBe(10);
  });

  it("is signed with a key outside the store that nobody else may read, and each signature is kept beside it", async () => {
    const desk = await open();
    await recordMany(desk, 5);
    await desk.sealer().seal(desk.namespace);
    expect(statSync(join(desk.folder, "key.pem")).mode & 0o777).toBe(0o600);
    const file = readCheckpointFile(desk.checkpoints);
    expect(file.keys).toHaveLength(1);
    expect(file.checkpoints.map(({ number }) => number)).toEqual([5]);
    const stored = (await desk.house.store.command(
      "LRANGE",
      auditKeys(desk.namespace).checkpoints,
      0,
      -1,
    )) as string[];
    expect(stored.join()).not.toContain("PRIVATE");
    // Whoever has the file alone can verify.
    expect(await verify(desk, file)).toMatchObject({ last: 5, checkpoints: 1 });
  });

  it("goes on after a line of the file was torn, and reads around it", async () => {
    const desk = await open();
    await recordMany(desk, 5);
    await desk.sealer().seal(desk.namespace);
    writeFileSync(desk.checkpoints, `${readFileSync(desk.checkpoints, "utf8")}{"n":6,"h":"to`);
    await recordMany(desk, 5);
    const other = await open({ namespace: desk.namespace, dataDir: desk.house.config.dataDir });
    await other.sealer().seal(desk.namespace);
    expect(readCheckpointFile(desk.checkpoints).checkpoints.at(-1)?.number).toBe(10);
    expect(await verify(desk)).toMatchObject({ last: 10, unsigned: 0 });
  });

  it("keeps its rows for as long as they are to be kept, and verifies from what was trimmed on", async () => {
    const desk = await open();
    await recordMany(desk, 2_500);
    const sealer = desk.sealer({ keepMs: 0 });
    await sealer.seal(desk.namespace);
    const old = await open({ namespace: desk.namespace, dataDir: desk.house.config.dataDir });
    expect(await desk.sealer().trim(desk.namespace)).toBe(0);
    expect(await sealer.trim(desk.namespace)).toBe(2_000);
    expect(await verify(old)).toMatchObject({ first: 2_001, last: 2_500 });
    await recordMany(desk, 10);
    await sealer.seal(desk.namespace);
    expect(await verify(old)).toMatchObject({ first: 2_001, last: 2_510, unsigned: 0 });
    expect((await old.events()).length).toBe(510);
  });

  it("does not trim what was changed: that would make it go on purpose", async () => {
    const desk = await open();
    await recordMany(desk, 1_100);
    const sealer = desk.sealer({ keepMs: 0 });
    await sealer.seal(desk.namespace);
    const keys = auditKeys(desk.namespace);
    const entry = (await desk.house.store.command("LINDEX", keys.chunk(1), 10)) as string;
    await desk.house.store.command("LSET", keys.chunk(1), 10, entry.replace("role agent", "role admin"));
    expect(await sealer.trim(desk.namespace)).toBe(0);
    expect((await verify(desk)).problem?.number).toBe(11);
  });

  it("is sealed and shown whatever the store says was sealed already, and the lie is found", async () => {
    const desk = await open();
    const { store: own } = desk.house;
    const keys = auditKeys(desk.namespace);
    const row = (id: string) =>
      JSON.stringify({ i: id, w: "ann", a: "mailbox.send", o: "ben", d: "allow", y: "x" });
    const { caller } = await desk.begin("ann");
    const ids = async () => (await desk.events()).map(({ id }) => id).sort();
    for (const [n, forged] of ["9000000000000000", "no number", "1"].entries()) {
      await desk.house.recorder.record(caller, { row: row(`a${n}`) });
      await desk.sealer().seal(desk.namespace);
      const last = await own.command("HGET", keys.taken, "mb:ann");
      expect(await verify(desk)).not.toHaveProperty("problem");
      await own.command("HSET", keys.taken, "mb:ann", forged);
      expect((await verify(desk)).problem?.what).toContain(`mb:ann were sealed up to ${forged}`);
      await desk.house.recorder.record(caller, { row: row(`b${n}`) });
      const all = Array.from({ length: n + 1 }, (_, m) => [`a${m}`, `b${m}`]).flat();
      expect(await ids()).toEqual(all.sort());
      expect(await desk.sealer().seal(desk.namespace)).toBe(1);
      expect(await ids()).toEqual(all);
      expect((await sealedIds(desk)).sort()).toEqual(all);
      expect(await desk.sealer().seal(desk.namespace)).toBe(0);
      expect(await verify(desk)).not.toHaveProperty("problem");
      expect(await own.command("HGET", keys.taken, "mb:ann")).not.toBe(last);
    }
    await own.command("HDEL", keys.taken, "mb:ann");
    expect((await verify(desk)).problem?.what).toContain("mb:ann were sealed up to 0");
    await own.command("HSET", keys.taken, "mb:ann", "1", "mb:zoe", "9000000000000000");
    expect((await verify(desk)).problem?.what).toMatch(/the rows of mb:(ann|zoe) were sealed up to/);
  });

  it("takes out of their slots rows that a sealer left there, and seals none of them again", async () => {
    const desk = await open();
    const { store: own } = desk.house;
    await recordMany(desk, 30);
    const slot = mailboxKeys(desk.namespace, "ann").audit;
    const rows = (await own.command("LRANGE", slot, 0, -1)) as string[];
    expect(await desk.sealer().seal(desk.namespace)).toBe(30);
    await own.command("DEL", slot);
    await own.command("RPUSH", slot, ...rows);
    expect(await desk.events()).toHaveLength(30);
    expect(await desk.sealer().seal(desk.namespace)).toBe(0);
    expect(await own.command("LLEN", slot)).toBe(1);
    expect(await desk.events()).toHaveLength(30);
  });

  it.each(["6", "1001", "5000", "x"])(
    "is shown from its first row on where the store says %s, which is found",
    async (first) => {
      const desk = await open();
      await recordMany(desk, 1_020);
      await desk.sealer().seal(desk.namespace);
      await desk.house.store.command("HSET", auditKeys(desk.namespace).end, "first", first);
      expect(await verify(desk)).toMatchObject({
        problem: { number: 1, what: expect.stringContaining("0 rows were trimmed on purpose") },
      });
      expect(await sealedIds(desk)).toHaveLength(1_020);
      const numbers = (await desk.events()).map(({ number }) => number).sort((a, b) => a! - b!);
      expect(numbers).toEqual(Array.from({ length: 1_020 }, (_, n) => n + 1));
    },
  );

  it("is not shorter than what was signed, whatever the store says of its end", async () => {
    const desk = await open();
    await recordMany(desk, 20);
    await desk.sealer().seal(desk.namespace);
    await desk.house.store.command("HSET", auditKeys(desk.namespace).end, "number", "6");
    expect(await verify(desk)).toMatchObject({ problem: { number: 7 } });
  });

  it("goes on being sealed when a slot was spoilt, for all the others", async () => {
    const desk = await open();
    await recordMany(desk, 30);
    await desk.house.store.command("SET", `{${desk.namespace}:mb:operator}:audit`, "not a list");
    expect(await desk.sealer().seal(desk.namespace)).toBe(30);
  });
});

describe("a change of the sealed audit", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore("redis-server");
  });
  afterAll(() => store.stop());

  type Entries = string[];
  /** A chain of 1,500 rows with checkpoints at 1,000 and 1,500, changed behind everybody's back. */
  async function tampered(
    change: (
      desk: AuditDesk,
      read: (chunk: number) => Promise<Entries>,
      write: (chunk: number, entries: Entries) => Promise<void>,
    ) => Promise<void>,
  ): Promise<AuditDesk> {
    const desk = await AuditDesk.open(store.url);
    await recordMany(desk, 1_500);
    await desk.sealer().seal(desk.namespace);
    expect((await verify(desk)).problem).toBeUndefined();
    const keys = auditKeys(desk.namespace);
    const { store: inside } = desk.house;
    await change(
      desk,
      async (chunk) => (await inside.command("LRANGE", keys.chunk(chunk * 1_000 + 1), 0, -1)) as Entries,
      async (chunk, entries) => {
        await inside.command("DEL", keys.chunk(chunk * 1_000 + 1));
        if (entries.length > 0) await inside.command("RPUSH", keys.chunk(chunk * 1_000 + 1), ...entries);
      },
    );
    return desk;
  }

  const changes: readonly (readonly [
    what: string,
    number: number,
    change: Parameters<typeof tampered>[0],
  ])[] = [
    [
      "an edited row",
      701,
      async (_, read, write) => {
        const rows = await read(0);
        rows[700] = rows[700]!.replace("role agent", "role admin");
        await write(0, rows);
      },
    ],
    [
      "a deleted row",
      701,
      async (_, read, write) => {
        const rows = await read(0);
        rows.splice(700, 1);
        await write(0, rows);
      },
    ],
    [
      "two rows that changed places",
      701,
      async (_, read, write) => {
        const rows = await read(0);
        [rows[700], rows[701]] = [rows[701]!, rows[700]!];
        await write(0, rows);
      },
    ],
    [
      "an inserted row",
      702,
      async (_, read, write) => {
        const rows = await read(0);
        rows.splice(701, 0, rows[700]!);
        await write(0, rows);
      },
    ],
    [
      "a row of an earlier time that was added at the end",
      1_501,
      async (desk, read, write) => {
        const rows = await read(1);
        await write(1, [...rows, rows[3]!]);
        await desk.house.store.command("HSET", auditKeys(desk.namespace).end, "number", "1501");
      },
    ],
    ["a tail that was cut off", 1_401, async (_, read, write) => write(1, (await read(1)).slice(0, 400))],
    [
      "a tail that was cut off with the end of the chain and the checkpoint in the store",
      1_401,
      async (desk, read, write) => {
        const rows = (await read(1)).slice(0, 400);
        await write(1, rows);
        const keys = auditKeys(desk.namespace);
        await desk.house.store.command(
          "HSET",
          keys.end,
          "number",
          "1400",
          "hash",
          parseSealed(rows.at(-1)!).hash,
        );
        await desk.house.store.command("RPOP", keys.checkpoints);
      },
    ],
    ["a head that was cut off", 1, async (_, read, write) => write(0, (await read(0)).slice(5))],
    [
      "a first chunk that is gone, as if it had been trimmed",
      1,
      async (desk, _, write) => {
        await write(0, []);
        const keys = auditKeys(desk.namespace);
        await desk.house.store.command("HSET", keys.end, "first", "1001");
        await desk.house.store.command("LPOP", keys.checkpoints);
      },
    ],
    [
      "everything gone",
      1,
      async (desk) => {
        const keys = auditKeys(desk.namespace);
        await desk.house.store.command("DEL", keys.end, keys.checkpoints, keys.chunk(1), keys.chunk(1_001));
      },
    ],
    [
      "rows written anew with hashes that fit, up to the end",
      1_001,
      async (desk, read, write) => {
        const rows = await read(1);
        const [first] = await read(0).then((all) => all.slice(-1));
        let { hash } = parseSealed(first!);
        const anew = rows.map((entry, n) => {
          const text = parseSealed(entry).text.replace("role agent", n === 200 ? "role admin" : "role agent");
          hash = link(hash, 1_001 + n, text);
          return writeSealed({ hash, text });
        });
        await write(1, anew);
        await desk.house.store.command("HSET", auditKeys(desk.namespace).end, "hash", hash);
      },
    ],
    [
      "the whole chain written anew, and its checkpoints taken out of the store",
      1,
      async (desk, read, write) => {
        let hash = genesis(desk.namespace);
        for (const chunk of [0, 1]) {
          const anew = (await read(chunk)).map((entry, n) => {
            const text = parseSealed(entry).text.replace('"w":"ann"', '"w":"eve"');
            hash = link(hash, chunk * 1_000 + n + 1, text);
            return writeSealed({ hash, text });
          });
          await write(chunk, anew);
        }
        const keys = auditKeys(desk.namespace);
        await desk.house.store.command("HSET", keys.end, "hash", hash);
        await desk.house.store.command("DEL", keys.checkpoints);
      },
    ],
    [
      "a checkpoint of another key",
      1_400,
      async (desk) => {
        const eve = await AuditDesk.open(store.url);
        await recordMany(eve, 1);
        await eve.sealer().seal(eve.namespace);
        const [own] = readCheckpointFile(eve.checkpoints).checkpoints;
        await desk.house.store.command(
          "RPUSH",
          auditKeys(desk.namespace).checkpoints,
          JSON.stringify({ n: 1_400, h: own!.hash, t: own!.at, x: 1_000, k: own!.key, s: own!.signature }),
        );
        await eve.close();
      },
    ],
    [
      "a checkpoint that says more was trimmed than was signed",
      1_500,
      async (desk) => {
        const keys = auditKeys(desk.namespace);
        const last = JSON.parse(
          (await desk.house.store.command("RPOP", keys.checkpoints)) as string,
        ) as object;
        await desk.house.store.command("RPUSH", keys.checkpoints, JSON.stringify({ ...last, x: 1_000 }));
      },
    ],
  ];

  it.each(changes)("is found: %s (row %i)", async (_, number, change) => {
    const desk = await tampered(change);
    const found = await verify(desk);
    expect(found.problem?.number).toBe(number);
    expect(found.problem?.what).toMatch(/[a-z]/);
    await desk.close();
  });

  it("and so is one that somebody makes before the rest is sealed", async () => {
    const desk = await tampered(async (_, read, write) => {
      const rows = await read(1);
      rows[10] = rows[10]!.replace("role agent", "role admin");
      await write(1, rows);
    });
    await recordMany(desk, 100);
    await desk.sealer().seal(desk.namespace);
    expect((await verify(desk)).problem?.number).toBe(1_011);
    await desk.close();
  });

  it("is not seen where nothing outside the store is known, so that nothing verifies there", async () => {
    const desk = await tampered(async () => {});
    expect((await verify(desk, { keys: [], checkpoints: [] })).problem?.what).toContain("not known here");
    await desk.close();
  });
});

describe.each(["embedded", "redis-server"] as const)("a sealer that is gone at some step (%s)", (name) => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore(name);
  });
  afterAll(() => store.stop());

  /** Seals through a connection that ends for good at the nth command; then another process seals. */
  async function sealAndDie(nth: number, when: "before" | "after", trims: boolean): Promise<number> {
    const namespace = newNamespace();
    const survivor = await AuditDesk.open(store.url, { namespace });
    const { dataDir } = survivor.house.config;
    const rows = trims ? 1_050 : 320;
    await recordMany(survivor, rows);
    const times = { ...byHand, keepMs: trims ? 0 : 1e12 };
    const proxy = await StoreProxy.before(store.url);
    const dying = await AuditDesk.open(proxy.url, { namespace, dataDir });
    const sealer = dying.sealer(times);
    if (trims) await sealer.seal(namespace);
    const cut = proxy.arm({ nth, when, stayAway: true });
    const work = (trims ? sealer.trim(namespace) : sealer.seal(namespace)).catch(() => undefined);
    await Promise.race([work, cut]);
    const commands = proxy.seen.length;
    await proxy.close(); // nothing of that process reaches the store any more
    await survivor.sealer(times).seal(namespace);
    if (trims) await survivor.sealer(times).trim(namespace);
    const where = `${when} command ${nth}`;
    const found = await verify(survivor);
    expect(found, where).toMatchObject({ first: trims ? 1_001 : 1, last: rows, unsigned: 0 });
    expect(found.problem, where).toBeUndefined();
    const ids = await sealedIds(survivor);
    expect(ids.length, where).toBe(trims ? 50 : rows);
    expect(new Set(ids).size, where).toBe(ids.length);
    expect((await survivor.events()).length, where).toBe(ids.length);
    // What it still tries fails when its time is over.
    void dying.close().catch(() => undefined);
    await survivor.close();
    return commands;
  }

  async function atEachStep(
    commands: number,
    act: (nth: number, when: "before" | "after") => Promise<unknown>,
  ): Promise<void> {
    for (let first = 1; first <= commands; first += 5)
      await Promise.all(
        Array.from({ length: Math.min(5, commands - first + 1) }, (_, n) => first + n).flatMap((nth) => [
          act(nth, "before"),
          act(nth, "after"),
        ]),
      );
  }

  it("leaves no row unsealed and seals none twice", { timeout: 180_000 }, async () => {
    const commands = await sealAndDie(Number.POSITIVE_INFINITY, "before", false);
    expect(commands).toBeGreaterThan(10);
    await atEachStep(commands, (nth, when) => sealAndDie(nth, when, false));
  });

  it("leaves a chain that verifies when it was gone while it trimmed", { timeout: 180_000 }, async () => {
    const commands = await sealAndDie(Number.POSITIVE_INFINITY, "before", true);
    expect(commands).toBeGreaterThan(4);
    await atEachStep(commands, (nth, when) => sealAndDie(nth, when, true));
  });
});
