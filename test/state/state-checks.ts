import { expect } from "vitest";
import { isRefusal } from "../../src/errors/index.js";
import type { StateLimits } from "../../src/state/index.js";
import type { StateDesk } from "./state-desk.js";

/** One sentence of what shared state promises, and what shows it in a namespace of its own. */
export interface Check {
  readonly what: string;
  readonly limits?: Partial<StateLimits>;
  readonly holds: (desk: StateDesk) => Promise<void>;
}

async function codeOf(doing: Promise<unknown>): Promise<string> {
  return doing.then(
    () => "nothing refused",
    (error: unknown) => (isRefusal(error) ? error.code : String(error)),
  );
}

const moment = 0.03;
const farAway = 9e12;

export const checks: readonly Check[] = [
  {
    what: "a value is read as it was written, with its version, who wrote it and when",
    holds: async (desk) => {
      const before = desk.store.now() - 60_000;
      const written = await desk.put("Plan/Owner/", '{"n": 12345678901234567890, "n": 1.0}');
      expect(written).toEqual({
        key: "plan/owner",
        state: "stored",
        version: expect.any(Number),
        replayed: false,
      });
      const entry = await desk.get("plan/owner");
      expect(entry).toEqual({
        key: "plan/owner",
        version: written.version,
        value: '{"n": 12345678901234567890, "n": 1.0}',
        by: "alice",
        verified: false,
        at: expect.any(String),
      });
      expect(Date.parse(entry!.at)).toBeGreaterThan(before);
      expect(await desk.get("plan")).toBeUndefined();
      expect(await desk.get("plan/owner/x")).toBeUndefined();
    },
  },
  {
    what: "a write over the expected version happens, and over another it answers what is there",
    holds: async (desk) => {
      const first = await desk.put("a/x", "1", { expected_version: 0 });
      expect(first.state).toBe("stored");
      const again = await desk.put("a/x", "2", { expected_version: 0, by: "bob" });
      expect(again).toMatchObject({
        state: "conflict",
        current: { key: "a/x", version: first.version, value: "1", by: "alice" },
      });
      const second = await desk.put("a/x", "2", { expected_version: first.version!, by: "bob" });
      expect(second.state).toBe("stored");
      expect(second.version).toBeGreaterThan(first.version!);
      const late = await desk.put("a/x", "3", { expected_version: first.version! });
      expect(late).toMatchObject({ state: "conflict", current: { version: second.version, by: "bob" } });
      expect((await desk.get("a/x"))?.value).toBe("2");
      const none = await desk.put("a/y", "3", { expected_version: first.version! });
      expect(none).toEqual({ key: "a/y", state: "conflict", version: 0, replayed: false });
      expect(await desk.get("a/y")).toBeUndefined();
    },
  },
  {
    what: "without an expected version the last write stays",
    holds: async (desk) => {
      await desk.put("a", "1");
      await desk.put("a", "2", { by: "bob" });
      expect(await desk.get("a")).toMatchObject({ value: "2", by: "bob" });
    },
  },
  {
    what: "of sixteen who write over one version exactly one wins, version after version",
    holds: async (desk) => {
      let version = 0;
      for (let round = 0; round < 5; round++) {
        const tries = await Promise.all(
          Array.from({ length: 16 }, (_, n) =>
            desk.put("race/x", `"${round}-${n}"`, { expected_version: version, by: `w${n}` }),
          ),
        );
        const winners = tries.filter((one) => one.state === "stored");
        expect(winners).toHaveLength(1);
        expect(winners[0]!.version).toBeGreaterThan(version);
        version = winners[0]!.version!;
        for (const one of tries) if (one.state === "conflict") expect(one.current?.version).toBe(version);
        expect((await desk.get("race/x"))?.version).toBe(version);
      }
    },
  },
  {
    what: "an entry that was deleted is gone, can be expected to be new, and its versions go on growing",
    holds: async (desk) => {
      const { version = 0 } = await desk.put("a/x", "1");
      expect(await desk.delete("a/x", { expected_version: version - 1 })).toMatchObject({
        state: "conflict",
        current: { version },
      });
      const deleted = await desk.delete("a/x", { expected_version: version });
      expect(deleted.state).toBe("deleted");
      expect(deleted.version).toBeGreaterThan(version);
      expect(await desk.get("a/x")).toBeUndefined();
      expect(await desk.listAll("a/")).toEqual([]);
      expect(await desk.delete("a/x")).toEqual({ key: "a/x", state: "absent", replayed: false });
      expect((await desk.delete("a/x", { expected_version: version })).state).toBe("conflict");
      const again = await desk.put("a/x", "2", { expected_version: 0 });
      expect(again.state).toBe("stored");
      expect(again.version).toBeGreaterThan(deleted.version!);
      expect(await desk.listAll("a/")).toEqual(["a/x"]);
    },
  },
  {
    what: "an entry is gone when its time is over, also where nobody looks after it, and can be new again",
    holds: async (desk) => {
      const written = await desk.put("t/x", "1", { ttl_seconds: moment });
      expect(written.expires_at).toBeDefined();
      await desk.put("t/y", "2", { ttl_seconds: 3600 });
      expect(Date.parse((await desk.get("t/y"))!.expires_at!)).toBeGreaterThan(desk.store.now() + 3e6);
      await expect.poll(() => desk.get("t/x")).toBeUndefined();
      expect(await desk.listAll("t/")).toEqual(["t/y"]);
      expect((await desk.put("t/x", "2", { expected_version: written.version! })).state).toBe("conflict");
      const again = await desk.put("t/x", "3", { expected_version: 0 });
      expect(again.version).toBeGreaterThan(written.version!);
      expect((await desk.get("t/x"))?.expires_at).toBeUndefined();
      expect((await desk.versions("t/x")).versions.map((one) => one.what)).toEqual([
        "written",
        "expired",
        "written",
      ]);
      expect((await desk.put("t/y", "4")).expires_at).toBeUndefined();
      await desk.put("t/z", "1", { ttl_seconds: moment });
      await expect.poll(() => desk.get("t/z")).toBeUndefined();
      expect(await desk.delete("t/z")).toEqual({ key: "t/z", state: "absent", replayed: false });
      expect((await desk.versions("t/z")).versions.map((one) => one.what)).toEqual(["expired", "written"]);
      await desk.put("t/w", "1", { ttl_seconds: moment });
      await desk.put("t/w", "2");
      await desk.put("t/v", "1", { ttl_seconds: moment });
      await expect.poll(() => desk.get("t/v")).toBeUndefined();
      await desk.sweep();
      expect((await desk.versions("t/v")).versions[0]).toMatchObject({ what: "expired", by: "" });
      expect((await desk.get("t/w"))?.value).toBe("2");
    },
  },
  {
    what: "earlier versions are kept with who wrote them, the newest first, up to a number",
    limits: { versions: 3 },
    holds: async (desk) => {
      const versions: number[] = [];
      for (let n = 1; n <= 4; n++)
        versions.unshift((await desk.put("h/x", String(n), { by: n % 2 ? "alice" : "bob" })).version!);
      const four = await desk.versions("h/x");
      expect(four).toMatchObject({ key: "h/x", forgotten: 0 });
      expect(four.versions.map((one) => [one.version, one.value, one.by, one.what])).toEqual([
        [versions[0], "4", "bob", "written"],
        [versions[1], "3", "alice", "written"],
        [versions[2], "2", "bob", "written"],
        [versions[3], "1", "alice", "written"],
      ]);
      await desk.delete("h/x", { by: "carol" });
      const after = await desk.versions("h/x");
      expect(after.forgotten).toBe(1);
      expect(after.versions.map((one) => [one.value, one.by, one.what])).toEqual([
        [undefined, "carol", "deleted"],
        ["4", "bob", "written"],
        ["3", "alice", "written"],
        ["2", "bob", "written"],
      ]);
      await desk.put("h/x", "5");
      expect((await desk.versions("h/x")).forgotten).toBe(2);
      expect(await desk.versions("h/y")).toEqual({ key: "h/y", versions: [], forgotten: 0 });
      expect(await desk.store.command("HLEN", desk.keys("h").past)).toBe(2);
    },
  },
  {
    what: "and up to so many bytes",
    limits: { versionBytes: 100 },
    holds: async (desk) => {
      const fifty = JSON.stringify("x".repeat(48));
      for (let n = 0; n < 3; n++) await desk.put("h/x", fifty);
      expect((await desk.versions("h/x")).versions).toHaveLength(3);
      await desk.put("h/x", fifty);
      const { versions, forgotten } = await desk.versions("h/x");
      expect([versions.length, forgotten]).toEqual([3, 1]);
      await desk.put("h/x", JSON.stringify("x".repeat(99)));
      await desk.put("h/x", "1");
      expect((await desk.versions("h/x")).versions.map((one) => one.value)).toEqual(["1"]);
      expect(await desk.store.command("HLEN", desk.keys("h").past)).toBe(0);
    },
  },
  {
    what: "a key that has been gone for long is forgotten whole, and takes no room any more",
    limits: { goneMs: 30 },
    holds: async (desk) => {
      await desk.put("g/x", "1");
      const { version = 0 } = await desk.put("g/x", "2");
      await desk.delete("g/x");
      await desk.put("g/stays", "1");
      await expect
        .poll(async () => {
          await desk.sweep();
          return (await desk.versions("g/x")).versions;
        })
        .toEqual([]);
      await desk.delete("g/stays");
      await expect
        .poll(async () => {
          await desk.sweep();
          return desk.roomUsed("g");
        })
        .toBe(0);
      expect(await desk.store.command("HLEN", desk.keys("g").past)).toBe(0);
      expect((await desk.put("g/x", "3", { expected_version: 0 })).version).toBeGreaterThan(version);
    },
  },
  {
    what: "versions grow by the store's clock, so none is given twice where the end of the log was lost",
    holds: async (desk) => {
      const { version: lost = 0 } = await desk.put("v/x", "1");
      for (const key of Object.values(desk.keys("v"))) await desk.store.command("DEL", key);
      expect((await desk.put("v/x", "2")).version).toBeGreaterThan(lost);
      await desk.store.command("HSET", desk.keys("v").meta, "sequence", String(lost + 3_600e6));
      const ahead = await desk.put("v/x", "3");
      expect(ahead.version).toBe(lost + 3_600e6 + 1);
      expect((await desk.put("v/y", "3")).version).toBe(lost + 3_600e6 + 2);
    },
  },
  {
    what: "repeated with its key a write is done once and says replayed, and the key serves nothing else",
    holds: async (desk) => {
      const key = { idempotency_key: "k1" };
      const first = await desk.put("i/x", "1", { ttl_seconds: 3600, ...key });
      await desk.put("i/x", "2", { by: "bob" });
      expect(await desk.put("i/x", "1", { ttl_seconds: 3600, ...key })).toEqual({ ...first, replayed: true });
      expect((await desk.get("i/x"))?.value).toBe("2");
      expect(await codeOf(desk.put("i/x", "3", key))).toBe("state.idempotency_conflict");
      expect(await codeOf(desk.delete("i/x", key))).toBe("state.idempotency_conflict");
      expect((await desk.put("i/x", "4", { by: "bob", ...key })).replayed).toBe(false);
      expect((await desk.put("i/y", "1", key)).replayed).toBe(false);
      const gone = await desk.delete("i/y", { idempotency_key: "k2" });
      await desk.put("i/y", "5");
      expect(await desk.delete("i/y", { idempotency_key: "k2" })).toEqual({ ...gone, replayed: true });
      expect(await codeOf(desk.delete("i/y", { idempotency_key: "k2", expected_version: 7 }))).toBe(
        "state.idempotency_conflict",
      );
      expect((await desk.get("i/y"))?.value).toBe("5");
    },
  },
  {
    what: "a conflict is not remembered: with the same key the write may happen later",
    holds: async (desk) => {
      await desk.put("i/x", "1");
      const asked = { expected_version: 0, idempotency_key: "k" };
      expect((await desk.put("i/x", "2", asked)).state).toBe("conflict");
      await desk.delete("i/x");
      expect(await desk.put("i/x", "2", asked)).toMatchObject({ state: "stored", replayed: false });
    },
  },
  {
    what: "a write under a lock carries a token, and a lower one than was seen is refused",
    holds: async (desk) => {
      desk.leaseOf = async (_, resource) => ({ expiresAt: farAway, resource });
      const under = (fencing_token: number, resource = "customer:1") => ({ resource, fencing_token });
      await desk.put("f/x", "1", under(20));
      expect((await desk.put("f/x", "2", under(20))).state).toBe("stored");
      expect(await codeOf(desk.put("f/x", "3", under(9)))).toBe("lock.stale_token");
      expect(await codeOf(desk.put("f/y", "3", under(19)))).toBe("lock.stale_token");
      expect(await codeOf(desk.delete("f/x", under(19)))).toBe("lock.stale_token");
      expect((await desk.get("f/x"))?.value).toBe("2");
      expect((await desk.put("f/x", "4", under(19, "customer:2"))).state).toBe("stored");
      expect((await desk.delete("f/x", under(21))).state).toBe("deleted");
      expect(await codeOf(desk.put("f/x", "5", under(20)))).toBe("lock.stale_token");
      expect((await desk.put("f/x", "6")).state).toBe("stored");
    },
  },
  {
    what: "a lower token is refused for whatever can mean the same, by pattern or name, and for nothing else",
    holds: async (desk) => {
      desk.leaseOf = async (_, resource) => ({ expiresAt: farAway, resource });
      const under = (fencing_token: number, resource: string) => ({ resource, fencing_token });
      await desk.put("f/x", "1", under(20, "src/a.ts"));
      await desk.put("f/x", "2", under(30, "web/**"));
      for (const near of ["src/**", "src/*.ts", "**", "src/a.*"])
        expect(await codeOf(desk.put("f/x", "3", under(19, near))), near).toBe("lock.stale_token");
      for (const near of ["web/b.ts", "*/c.ts", "web"])
        expect(await codeOf(desk.delete("f/x", under(29, near))), near).toBe("lock.stale_token");
      expect((await desk.get("f/x"))?.value).toBe("2");
      for (const other of ["src", "src/b.ts", "src/*.js", "lib/**"])
        expect((await desk.put("f/x", "4", under(10, other))).state, other).toBe("stored");
      expect((await desk.put("f/x", "5", under(31, "**"))).state).toBe("stored");
    },
  },
  {
    what: "nothing is written once the lease is over by the store's clock, however late the write arrives",
    holds: async (desk) => {
      const held = { resource: "r", fencing_token: 5 };
      desk.leaseOf = async (_, resource) => ({ expiresAt: desk.store.now() + 3_600_000, resource });
      await desk.put("f/x", "1", held);
      desk.leaseOf = async (_, resource) => ({ expiresAt: desk.store.now() - 5, resource });
      expect(await codeOf(desk.put("f/x", "2", held))).toBe("lock.stale_token");
      expect(await codeOf(desk.delete("f/x", held))).toBe("lock.stale_token");
      expect(await desk.get("f/x")).toMatchObject({ value: "1" });
    },
  },
  {
    what: "what was done while the lease held is answered again after it is over, with its key",
    holds: async (desk) => {
      const held = { resource: "r", fencing_token: 5, idempotency_key: "k" };
      const nobodyHoldsIt = desk.leaseOf;
      desk.leaseOf = async (_, resource) => ({ expiresAt: farAway, resource });
      const first = await desk.put("f/x", "1", held);
      desk.leaseOf = nobodyHoldsIt;
      expect(await desk.put("f/x", "1", held)).toEqual({ ...first, replayed: true });
      expect(await codeOf(desk.put("f/x", "2", { ...held, idempotency_key: "k2" }))).toBe("lock.stale_token");
      expect(await codeOf(desk.put("f/x", "2", { resource: "r", fencing_token: 5 }))).toBe(
        "lock.stale_token",
      );
    },
  },
  {
    what: "a token is remembered for as long as a key that is gone, and then takes no room",
    limits: { goneMs: 30 },
    holds: async (desk) => {
      desk.leaseOf = async (_, resource) => ({ expiresAt: farAway, resource });
      await desk.put("f/x", "1", { resource: "r", fencing_token: 5 });
      await desk.put("f/x", "1", { resource: "r", fencing_token: 6 });
      await desk.delete("f/x", { resource: "r", fencing_token: 6 });
      await expect
        .poll(async () => {
          await desk.sweep();
          return desk.roomUsed("f");
        })
        .toBe(0);
      expect(await desk.store.command("HLEN", desk.keys("f").tokens)).toBe(0);
    },
  },
  {
    what: "the entries below one name are at most so many",
    limits: { groupEntries: 3 },
    holds: async (desk) => {
      for (const name of ["a", "b", "c"]) await desk.put(`n/${name}`, "1");
      expect(await codeOf(desk.put("n/d", "1"))).toBe("state.group_full");
      expect((await desk.put("n/c", "2")).state).toBe("stored");
      expect((await desk.put("m/d", "1")).state).toBe("stored");
      await desk.delete("n/a");
      expect((await desk.put("n/d", "1")).state).toBe("stored");
      expect(await codeOf(desk.put("n/e", "1"))).toBe("state.group_full");
      await desk.put("n/d", "1", { ttl_seconds: moment });
      await expect.poll(() => codeOf(desk.put("n/e", "1"))).toBe("nothing refused");
      expect(await desk.listAll("n/")).toEqual(["n/b", "n/c", "n/e"]);
    },
  },
  {
    what: "a namespace holds so many bytes and not one more, refuses, and has room again for what was deleted",
    limits: { namespaceBytes: 4_000, pieceBytes: 1_000, versions: 0, goneMs: 1 },
    holds: async (desk) => {
      // A live entry takes 384 bytes, twice its key and its value.
      const filling = (bytes: number): string => JSON.stringify("x".repeat(bytes - 384 - 6 - 2));
      await desk.put("a/1", filling(2_000));
      expect(await desk.roomUsed("a")).toBe(2_000);
      expect(await codeOf(desk.put("b/1", filling(2_001)))).toBe("state.full");
      expect(await desk.get("b/1")).toBeUndefined();
      expect((await desk.put("b/1", filling(2_000))).state).toBe("stored");
      expect(await desk.roomGiven()).toBe(4_000);
      expect(await codeOf(desk.put("c/1", "1"))).toBe("state.full");
      expect(await codeOf(desk.put("a/1", filling(2_001)))).toBe("state.full");
      expect((await desk.put("a/1", filling(1_000))).state).toBe("stored");
      expect((await desk.put("c/1", filling(1_000))).state).toBe("stored");
      expect(await codeOf(desk.put("a/1", filling(1_001)))).toBe("state.full");
      await desk.delete("b/1");
      await expect.poll(() => codeOf(desk.put("a/1", filling(2_000)))).toBe("nothing refused");
      expect(await desk.roomGiven()).toBeLessThanOrEqual(4_000);
    },
  },
  {
    what: "room that was given back cannot be used by a process that still remembers it",
    limits: { namespaceBytes: 10_000, pieceBytes: 1_000, versions: 0, goneMs: 3_600_000 },
    holds: async (desk) => {
      const filling = (bytes: number): string => JSON.stringify("x".repeat(bytes - 384 - 6 - 2));
      const there = desk.other(
        { namespaceBytes: 10_000, pieceBytes: 1_000, versions: 0, goneMs: 3_600_000 },
        desk.namespace,
      );
      await there.put("a/1", filling(8_000));
      await there.put("a/1", "1");
      await desk.put("b/1", filling(6_000));
      expect(await codeOf(there.put("a/1", filling(8_000)))).toBe("state.full");
      expect((await there.put("a/1", filling(4_000))).state).toBe("stored");
      const used = (await desk.roomUsed("a")) + (await desk.roomUsed("b"));
      expect(used).toBeLessThanOrEqual(10_000);
      expect(await desk.roomGiven()).toBe(10_000);
      // A process that comes later asks for a first piece, which takes nothing from what the group has.
      await desk.other(desk.context.limits, desk.namespace).put("b/1", "1");
      expect(await desk.roomGiven()).toBe(10_000);
    },
  },
  {
    what: "a group in which nothing is left is taken off the list, and comes back with its next entry",
    limits: { goneMs: 400, idempotencyMs: 1, attemptMs: 1 },
    holds: async (desk) => {
      await desk.put("e/x", "1");
      await desk.put("s/x", "1");
      await desk.delete("e/x");
      // Rows that are not sealed keep it there.
      await expect
        .poll(async () => {
          await desk.sweep();
          return desk.roomUsed("e");
        })
        .toBe(0);
      await desk.sweep();
      expect([...(await desk.context.rooms.groups(desk.namespace)).keys()].toSorted()).toEqual(["e", "s"]);
      await desk.store.command("DEL", desk.keys("e").audit);
      await expect
        .poll(async () => {
          await desk.sweep();
          return [...(await desk.context.rooms.groups(desk.namespace)).keys()];
        })
        .toEqual(["s"]);
      expect(await desk.roomGiven()).toBe(65_536);
      await desk.put("e/x", "2");
      expect(await desk.listAll("")).toEqual(["e/x", "s/x"]);
      expect(Number(await desk.store.command("PTTL", desk.keys("e").meta))).toBe(-1);
    },
  },
  {
    what: "a prefix lists the keys that begin so, in their order, across groups",
    limits: { pageEntries: 2 },
    holds: async (desk) => {
      const keys = ["plan", "plan-b/x", "plan/a", "plan/a/b", "plan/ab", "plan/b", "plank", "zebra/1"];
      for (const key of keys.toReversed()) await desk.put(key, "1");
      expect(await desk.listAll("")).toEqual([
        "plan",
        "plan/a",
        "plan/a/b",
        "plan/ab",
        "plan/b",
        "plan-b/x",
        "plank",
        "zebra/1",
      ]);
      expect(await desk.listAll("plan/")).toEqual(["plan/a", "plan/a/b", "plan/ab", "plan/b"]);
      expect(await desk.listAll("Plan/A")).toEqual(["plan/a", "plan/a/b", "plan/ab"]);
      expect(await desk.listAll("plan/a/")).toEqual(["plan/a/b"]);
      expect(await desk.listAll("plank")).toEqual(["plank"]);
      expect(await desk.listAll("nothing")).toEqual([]);
      expect((await desk.list("plan/")).entries).toHaveLength(2);
    },
  },
  {
    what: "a page holds so many bytes of values, and at least one value",
    limits: { pageBytes: 100 },
    holds: async (desk) => {
      const sixty = JSON.stringify("x".repeat(58));
      for (const key of ["b/1", "b/2", "b/3"]) await desk.put(key, sixty);
      await desk.put("b/4", JSON.stringify("x".repeat(300)));
      await desk.put("b/5", "1");
      const page = await desk.list("b/");
      expect(page.entries.map((entry) => entry.key)).toEqual(["b/1"]);
      expect(await desk.listAll("b/")).toEqual(["b/1", "b/2", "b/3", "b/4", "b/5"]);
    },
  },
  {
    what: "what is there all the time is on exactly one page, and no key is on two, whatever is written meanwhile",
    limits: { pageEntries: 5, pageGroups: 2 },
    holds: async (desk) => {
      const names = Array.from({ length: 20 }, (_, n) => String(n).padStart(2, "0"));
      const stay = names.flatMap((name) => [`p/${name}`, `q${name}/x`]);
      await Promise.all(stay.map((key) => desk.put(key, "1")));
      let n = 0;
      const listed = await desk.listAll("", async () => {
        n++;
        await Promise.all([
          desk.put(`p/${names[n % 20]}`, String(n)),
          desk.put(`p/${names[(7 * n) % 20]}-new`, "1"),
          desk.put(`a${n}`, "1"),
          desk.put(`q${n}a/y`, "1"),
          desk.delete(`p/${names[(7 * n + 1) % 20]}-new`),
        ]);
      });
      expect(new Set(listed).size).toBe(listed.length);
      for (const key of stay) expect(listed).toContain(key);
      expect(n).toBeGreaterThan(8);
    },
  },
  {
    what: "what was given up here does not happen later",
    holds: async (desk) => {
      await desk.put("late/x", "1");
      const { now } = desk.store;
      // What is asked then is over before it arrives.
      desk.store.now = () => now.call(desk.store) - 60_000;
      try {
        expect(await codeOf(desk.put("late/x", "2"))).toBe("store.unavailable");
        expect(await codeOf(desk.delete("late/x"))).toBe("store.unavailable");
      } finally {
        desk.store.now = now;
      }
      expect((await desk.get("late/x"))?.value).toBe("1");
    },
  },
  {
    what: "a write is hinted to whoever watches its key, and to nobody else",
    holds: async (desk) => {
      const heard: string[] = [];
      const stops = await Promise.all([
        desk.watch("w/x", () => heard.push("x")),
        desk.watch("w/y", () => heard.push("y")),
      ]);
      await desk.put("w/x", "1");
      await expect.poll(() => heard).toEqual(["x"]);
      await desk.delete("w/x");
      await expect.poll(() => heard).toEqual(["x", "x"]);
      await desk.put("w/y", "1", { ttl_seconds: moment });
      await expect.poll(() => heard).toEqual(["x", "x", "y"]);
      await expect.poll(() => desk.get("w/y")).toBeUndefined();
      await desk.sweep();
      await expect.poll(() => heard).toEqual(["x", "x", "y", "y"]);
      for (const stop of stops) stop();
    },
  },
];

/** Holds also when each script runs twice, as when its answer was lost. */
export const repeatable = checks.filter(({ what }) => !what.startsWith("a write is hinted"));
