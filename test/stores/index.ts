/** Real stores for tests: each kind the product runs on, started for a test file and gone after it. */
import { afterAll, beforeAll, describe } from "vitest";
import { startEmbedded } from "./embedded.js";
import { startCluster } from "./redis-cluster.js";
import { hasRedisServer, startRedisServer } from "./redis-server.js";
import type { StoreName, TestStore } from "./test-store.js";

export type { StoreName, TestStore } from "./test-store.js";

export const storeNames: readonly StoreName[] = ["embedded", "redis-server", "redis-cluster"];

/** A store of its own, empty, with every answer durable before it is given. The caller stops it. */
export function startStore(name: StoreName): Promise<TestStore> {
  if (name === "embedded") return startEmbedded();
  return name === "redis-server" ? startRedisServer() : startCluster();
}

/**
 * One `describe` per kind of store; the store is there from before the first test to after the last.
 *
 * Without a redis-server on PATH its kinds are left out and one line says so, except where CI is set: there it fails.
 */
export function describeOnEachStore(title: string, define: (store: () => TestStore) => void): void {
  for (const name of available()) {
    describe(`${title} (${name})`, () => {
      let store: TestStore | undefined;
      beforeAll(async () => {
        store = await startStore(name);
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
