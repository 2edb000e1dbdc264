/** Real stores for tests: each kind the product runs on, started for a test file and gone after it. */
import { afterAll, beforeAll, describe } from "vitest";
import { startEmbedded } from "./embedded.js";
import { startCluster } from "./redis-cluster.js";
import { hasRedisServer, startRedisServer } from "./redis-server.js";
import type { Medium, StoreName, TestStore } from "./test-store.js";

export type { StoreName, TestStore } from "./test-store.js";

/** For calls that a test expects to be answered: five seconds are too little for a store that a busy machine holds up. */
export const patientMs = 20_000;

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

/** The same with the stores beside each other and the tests of one store in sequence, as `describeBeside`. */
describeOnEachStore.beside = (title: string, define: (store: () => TestStore) => void): void =>
  describeEach(title, define, { beside: true });

/** The same on stores that are killed while they work. */
describeOnEachStore.onDisk = (title: string, define: (store: () => TestStore) => void): void =>
  describeEach(title, define, { medium: "disk" });

/**
 * One `describe` for each name, all of them beside each other and the tests of each in sequence: for tests that wait more
 * than they do, but share what they begin with. What they set for the whole process, a clock say, they set for each other.
 *
 * A test that polls takes `expect` from its context: the one that is imported belongs to the test that began last.
 */
export function describeBeside<Name extends string>(
  title: string,
  names: readonly Name[],
  define: (name: Name) => void,
): void {
  for (const name of names)
    describe.concurrent(title, () => {
      describe.sequential(`(${name})`, () => define(name));
    });
}

function describeEach(
  title: string,
  define: (store: () => TestStore) => void,
  options: { readonly medium?: Medium; readonly concurrent?: boolean; readonly beside?: boolean },
): void {
  const { medium, concurrent = false, beside = false } = options;
  const defineOn = (name: StoreName): void => {
    let store: TestStore | undefined;
    beforeAll(async () => {
      store = await startStore(name, medium);
    });
    afterAll(() => store?.stop());
    define(() => {
      if (!store) throw new Error("the store is there only while tests run");
      return store;
    });
  };
  if (beside) describeBeside(title, available(), defineOn);
  else for (const name of available()) describe(`${title} (${name})`, { concurrent }, () => defineOn(name));
}

let told = false;

function available(): readonly StoreName[] {
  if (hasRedisServer()) return storeNames;
  if (process.env.CI) throw new Error("redis-server is not on PATH, and CI must run every store");
  if (!told) process.stderr.write("redis-server is not on PATH: tests run on the embedded engine alone\n");
  told = true;
  return ["embedded"];
}
