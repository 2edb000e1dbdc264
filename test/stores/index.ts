/** Real stores for tests: each kind the product runs on, started for a test file and gone after it. */
import { afterAll, beforeAll, describe } from "vitest";
import { startEmbedded } from "./embedded.js";
import { startCluster } from "./redis-cluster.js";
import { hasRedisServer, startRedisServer } from "./redis-server.js";
import type { Medium, StoreName, TestStore } from "./test-store.js";

export type { StoreName, TestStore } from "./test-store.js";

export const storeNames: readonly StoreName[] = ["embedded", "redis-server", "redis-cluster"];

/**
 * A store of its own, empty, with every answer durable before it is given. The caller stops it.
 *
 * @param medium where tests kill it while it works: the disk, whose sync takes the time in which a kill can fall
 */
export function startStore(name: StoreName, medium: Medium = "memory"): Promise<TestStore> {
  if (name === "embedded") return startEmbedded(medium);
  return name === "redis-server" ? startRedisServer(medium) : startCluster(medium);
}

/**
 * One `describe` per kind of store; the store is there from before the first test to after the last.
 *
 * Without a redis-server on PATH its kinds are left out and one line says so, except where CI is set: there it fails.
 */
export function describeOnEachStore(title: string, define: (store: () => TestStore) => void): void {
  describeEach(title, define, {});
}

/** The same with all tests on all stores beside each other: for tests that wait more than they do, each with names of its own. */
describeOnEachStore.concurrent = (title: string, define: (store: () => TestStore) => void): void =>
  describeEach(title, define, { concurrent: true });

/** The same on stores that are killed while they work. */
describeOnEachStore.onDisk = (title: string, define: (store: () => TestStore) => void): void =>
  describeEach(title, define, { medium: "disk" });

function describeEach(
  title: string,
  define: (store: () => TestStore) => void,
  { medium, concurrent = false }: { readonly medium?: Medium; readonly concurrent?: boolean },
): void {
  for (const name of available()) {
    describe(`${title} (${name})`, { concurrent }, () => {
      let store: TestStore | undefined;
      beforeAll(async () => {
        store = await startStore(name, medium);
      });
      afterAll(() => store?.stop());
      define(() => {
        if (!store) throw new Error("the store is there only while tests run");
        return store;
      });
    });
  }
}

let told = false;

function available(): readonly StoreName[] {
  if (hasRedisServer()) return storeNames;
  if (process.env.CI) throw new Error("redis-server is not on PATH, and CI must run every store");
  if (!told) process.stderr.write("redis-server is not on PATH: tests run on the embedded engine alone\n");
  told = true;
  return ["embedded"];
}
