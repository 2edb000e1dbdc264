import fc from "fast-check";
import { expect } from "vitest";
import type { StateDesk } from "./state-desk.js";

const keys = ["a/x", "a/y", "a/x/z", "b/x"];
const agents = ["alice", "bob"];

/** One thing that somebody does to shared state. */
export type Step =
  | { do: "put"; key: string; by: string; expect: "any" | "current" | "none" | "stale"; again: boolean }
  | { do: "delete"; key: string; by: string; expect: "any" | "current" | "stale"; again: boolean }
  | { do: "fenced"; key: string; by: string; token: number }
  | { do: "get"; key: string }
  | { do: "list"; prefix: string }
  | { do: "history"; key: string }
  | { do: "expire"; key: string }
  | { do: "keep" };

const key = fc.constantFrom(...keys);
const by = fc.constantFrom(...agents);
const again = fc.boolean();

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("put" as const),
      ...{ key, by, again },
      expect: fc.constantFrom("any", "current", "none", "stale"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("delete" as const),
      ...{ key, by, again },
      expect: fc.constantFrom("any", "current", "stale"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("fenced" as const),
      ...{ key, by },
      token: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("get" as const), key }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("list" as const),
      prefix: fc.constantFrom("", "a", "a/", "a/x", "b/"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("history" as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("expire" as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("keep" as const) }) },
);

interface Version {
  readonly what: "written" | "deleted" | "expired";
  readonly value?: string;
  readonly by: string;
  readonly version: number;
}

/** What shared state promises in the simplest terms: of each key all that ever happened to it, newest first. */
export class StateModel {
  readonly #keys = new Map<string, Version[]>(keys.map((one) => [one, []]));
  /** In each group the highest token it has seen. */
  readonly #seen = new Map<string, number>();
  readonly #kept: number;
  #count = 0;
  writes = 0;
  conflicts = 0;

  /** @param kept how many earlier versions are kept of a key */
  constructor(kept: number) {
    this.#kept = kept;
  }

  async follow(desk: StateDesk, steps: readonly Step[]): Promise<void> {
    desk.leaseOf = async (_, resource) => ({ expiresAt: 9e12, resource });
    for (const one of steps) await this.#do(desk, one);
    for (const one of keys) await this.#do(desk, { do: "history", key: one });
  }

  async #do(desk: StateDesk, one: Step): Promise<void> {
    switch (one.do) {
      case "put":
        return this.#write(desk, one, String(++this.#count));
      case "delete":
        return this.#write(desk, one, undefined);
      case "fenced": {
        const group = one.key.split("/")[0]!;
        const seen = this.#seen.get(group) ?? 0;
        const value = String(++this.#count);
        const fence = { resource: "r", fencing_token: one.token };
        const doing = desk.put(one.key, value, { by: one.by, ...fence });
        if (one.token < seen) {
          await expect(doing).rejects.toThrow(/^lock\.stale_token/);
          return;
        }
        this.#seen.set(group, one.token);
        this.#wrote(one.key, { what: "written", value, by: one.by, version: (await doing).version! });
        return;
      }
      case "get": {
        const live = this.#live(one.key);
        const entry = await desk.get(one.key);
        expect(entry && [entry.value, entry.by, entry.version]).toEqual(
          live && [live.value, live.by, live.version],
        );
        return;
      }
      case "list":
        expect(await desk.listAll(one.prefix)).toEqual(
          keys.filter((name) => name.startsWith(one.prefix) && this.#live(name)).toSorted(),
        );
        return;
      case "history": {
        const { versions, forgotten } = await desk.versions(one.key);
        const all = this.#keys.get(one.key)!;
        expect(
          versions.map(({ at, verified, ...version }) => version),
          `history of ${one.key}`,
        ).toEqual(all.slice(0, this.#kept + 1));
        expect(forgotten).toBe(Math.max(all.length - this.#kept - 1, 0));
        return;
      }
      case "expire": {
        if (!this.#live(one.key)) return;
        // As if its time had been over for a while.
        const keysOf = desk.keys(one.key.split("/")[0]!);
        const record = String(await desk.store.command("HGET", keysOf.entries, one.key)).split("|");
        record[3] = "1";
        await desk.store.command("HSET", keysOf.entries, one.key, record.join("|"));
        await desk.store.command("ZADD", keysOf.expiring, "1", one.key);
        expect(await desk.get(one.key)).toBeUndefined();
        await desk.sweep();
        const [newest] = (await desk.versions(one.key)).versions;
        this.#wrote(one.key, { what: "expired", by: "", version: newest!.version });
        return;
      }
      case "keep":
        await desk.context.rooms.reclaim(desk.namespace);
        return;
    }
  }

  async #write(
    desk: StateDesk,
    one: Extract<Step, { do: "put" | "delete" }>,
    value: string | undefined,
  ): Promise<void> {
    const live = this.#live(one.key);
    const expected = this.#expected(one.key, one.expect);
    if (expected === 0 && value === undefined) return;
    const asked = {
      by: one.by,
      idempotency_key: `k${++this.#count}`,
      ...(expected === undefined ? {} : { expected_version: expected }),
    };
    const act = () => (value === undefined ? desk.delete(one.key, asked) : desk.put(one.key, value, asked));
    const result = await act();
    if (expected !== undefined && expected !== (live?.version ?? 0)) {
      this.conflicts++;
      expect(result.state).toBe("conflict");
      expect(result.current && [result.current.version, result.current.value]).toEqual(
        live && [live.version, live.value],
      );
      return;
    }
    if (value === undefined && !live) {
      expect(result.state).toBe("absent");
      return;
    }
    expect(result.state).toBe(value === undefined ? "deleted" : "stored");
    this.#wrote(one.key, {
      what: value === undefined ? "deleted" : "written",
      ...(value === undefined ? {} : { value }),
      by: one.by,
      version: result.version!,
    });
    if (one.again) expect(await act()).toEqual({ ...result, replayed: true });
  }

  #expected(name: string, how: "any" | "current" | "none" | "stale"): number | undefined {
    if (how === "any") return undefined;
    if (how === "none") return 0;
    const current = this.#live(name)?.version ?? 0;
    return how === "current" ? current : (this.#keys.get(name)?.at(-1)?.version ?? 7) - 1;
  }

  #live(name: string): Version | undefined {
    const newest = this.#keys.get(name)?.[0];
    return newest?.what === "written" ? newest : undefined;
  }

  #wrote(name: string, version: Version): void {
    const all = this.#keys.get(name)!;
    expect(version.version).toBeGreaterThan(all[0]?.version ?? 0);
    all.unshift(version);
    this.writes++;
  }
}
