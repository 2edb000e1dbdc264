import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plain, storeImage } from "../faults/store-image.js";
import { StoreProxy } from "../faults/store-proxy.js";
import { type StoreName, startStore, type TestStore } from "../stores/index.js";
import { StateDesk } from "./state-desk.js";

interface Call {
  readonly name: string;
  readonly prepare?: (desk: StateDesk) => Promise<unknown>;
  readonly make: (desk: StateDesk) => Promise<unknown>;
}

const held = { resource: "customer:1", fencing_token: 5 };
const key = { idempotency_key: "k" };

const calls: readonly Call[] = [
  { name: "the first put_state of a group", make: (desk) => desk.put("a/x", "1") },
  { name: "put_state with a key", make: (desk) => desk.put("a/x", "1", { ttl_seconds: 60, ...key }) },
  {
    name: "put_state over a version",
    prepare: (desk) => desk.put("a/x", "1"),
    make: async (desk) => {
      const { version = 0 } = (await desk.get("a/x")) ?? {};
      return desk.put("a/x", "2", { expected_version: version });
    },
  },
  {
    name: "put_state that conflicts",
    prepare: (desk) => desk.put("a/x", "1"),
    make: (desk) => desk.put("a/x", "2", { expected_version: 0 }),
  },
  { name: "put_state under a lock", make: (desk) => desk.put("a/x", "1", held) },
  {
    name: "put_state that needs more room",
    prepare: (desk) => desk.put("a/x", "1"),
    make: (desk) => desk.put("a/y", "y".repeat(60_000)),
  },
  {
    name: "put_state delete",
    prepare: (desk) => desk.put("a/x", "1"),
    make: (desk) => desk.delete("a/x", held),
  },
  {
    name: "get_state of a key",
    prepare: (desk) => desk.put("a/x", "1"),
    make: (desk) => desk.get("a/x"),
  },
  {
    name: "get_state of a prefix",
    prepare: async (desk) => {
      await desk.put("a/x", "1");
      await desk.put("b/y", "2");
    },
    make: (desk) => desk.list(""),
  },
  {
    name: "the history of a key",
    prepare: async (desk) => {
      await desk.put("a/x", "1");
      await desk.put("a/x", "2");
    },
    make: (desk) => desk.versions("a/x"),
  },
  {
    name: "taking back room that nobody uses",
    prepare: async (desk) => {
      await desk.put("a/x", "x".repeat(60_000));
      await desk.put("a/y", "y".repeat(60_000));
      await desk.put("a/z", "y".repeat(60_000));
      for (const one of ["a/x", "a/y", "a/z"]) await desk.put(one, "1");
    },
    make: (desk) => desk.context.rooms.reclaim(desk.namespace),
  },
];

const storesUnderFault: readonly StoreName[] = ["embedded", "redis-server"];

describe.each(storesUnderFault)(
  "the connection to the store (%s) cut at each command of shared state",
  (name) => {
    let store: TestStore;
    beforeAll(async () => {
      store = await startStore(name);
    });
    afterAll(() => store.stop());

    async function once(
      call: Call,
      cut: { readonly nth: number; readonly when: "before" | "after" },
    ): Promise<{ answer: unknown; image: unknown; hasCut: boolean }> {
      const proxy = await StoreProxy.before(store.url);
      const desk = await StateDesk.open(proxy.url, { versionBytes: 0 });
      desk.leaseOf = async (_, resource) => ({ expiresAt: 9e12, resource });
      await call.prepare?.(desk);
      void proxy.arm(cut);
      const given = await call.make(desk);
      const answer = plain(JSON.stringify(given ?? null), desk.namespace);

      const { hasCut } = proxy;
      proxy.heal();
      const image = await storeImage(store.url, desk.namespace);
      desk.close();
      await proxy.close();
      return { answer, image, hasCut };
    }

    it.each(calls)(
      "$name: the caller notices nothing, and the state is that of one execution",
      async (call) => {
        await once(call, { nth: Number.POSITIVE_INFINITY, when: "before" });
        const whole = await once(call, { nth: Number.POSITIVE_INFINITY, when: "before" });
        for (const when of ["before", "after"] as const) {
          // How many commands it takes depends on whether the rules have to be asked for: until there is none to cut.
          let cuts = 0;
          for (;;) {
            const { answer, image, hasCut } = await once(call, { nth: cuts + 1, when });
            const where = `cut ${when} command ${cuts + 1}`;
            expect(answer, where).toEqual(whole.answer);
            expect(image, where).toEqual(whole.image);
            if (!hasCut) break;
            cuts++;
          }
          expect(cuts).toBeGreaterThan(0);
        }
      },
    );
  },
);
