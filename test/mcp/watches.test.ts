import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Caller, RunId } from "../../src/identity/index.js";
import { coalesceMs, mostWatched, stalledMs, Watches } from "../../src/mcp/watches.js";
import { memoryRooms } from "./memory-rooms.js";

const caller: Caller = {
  principal: {
    namespace: "n",
    agent: "alice",
    verified: false,
    roles: ["agent"],
    credential: { kind: "none" },
  },
  run: { id: "r" as RunId },
};

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** What changed is told in its turn, which comes at once or in one of the next of the event loop. */
async function turns(): Promise<void> {
  for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
}

async function pass(ms: number): Promise<void> {
  await turns();
  vi.advanceTimersByTime(ms);
  await turns();
}

describe("what a client watches", () => {
  it("is told at once, then at most once per interval however often it changes, and the last change is never lost", async () => {
    const world = memoryRooms();
    const told: string[] = [];
    const watches = new Watches(world, (uri) => told.push(uri));
    expect(await watches.add(caller, "mailbox://inbox")).toBe(true);
    for (let i = 0; i < 1_000; i++) world.change("inbox", "alice");
    await turns();
    expect(told).toEqual(["mailbox://inbox"]);
    await pass(coalesceMs);
    expect(told).toHaveLength(2);
    await pass(coalesceMs * 10);
    expect(told).toHaveLength(2);
    world.change("inbox", "alice");
    await turns();
    expect(told).toHaveLength(3);
  });

  it("is told per URI: a busy topic does not hold back the inbox", async () => {
    const world = memoryRooms();
    const told: string[] = [];
    const watches = new Watches(world, (uri) => told.push(uri));
    await watches.add(caller, "mailbox://topics/builds");
    await watches.add(caller, "mailbox://inbox");
    world.change("topic");
    world.change("inbox", "alice");
    await turns();
    expect(told).toEqual(["mailbox://topics/builds", "mailbox://inbox"]);
  });

  it("ends at once when it is removed, also while the watch is still being set up", async () => {
    const world = memoryRooms();
    const told: string[] = [];
    const watches = new Watches(world, (uri) => told.push(uri));
    const adding = watches.add(caller, "mailbox://inbox");
    watches.remove("mailbox://inbox");
    await adding;
    world.change("inbox", "alice");
    await turns();
    expect(told).toEqual([]);
    expect(world.watchers()).toBe(0);
  });

  it("does not pile up for a client that does not read; one update per URI comes when it does", async () => {
    const world = memoryRooms();
    const told: string[] = [];
    let stalled = true;
    const watches = new Watches(
      world,
      (uri) => told.push(uri),
      () => stalled,
    );
    await watches.add(caller, "mailbox://inbox");
    for (let i = 0; i < 100; i++) {
      world.change("inbox", "alice");
      await pass(100);
    }
    expect(told).toEqual([]);
    stalled = false;
    await pass(stalledMs);
    expect(told).toEqual(["mailbox://inbox"]);
    await pass(stalledMs * 5);
    expect(told).toHaveLength(1);
  });

  it("is limited, and only what can change can be watched", async () => {
    const watches = new Watches(memoryRooms(), () => undefined);
    for (const uri of ["mailbox://messages/m1", "mailbox://threads/m1", "mailbox://nothing", "http://x", ""])
      expect(await watches.add(caller, uri)).toBe(false);
    for (let i = 0; i < mostWatched; i++)
      expect(await watches.add(caller, `mailbox://topics/t${i}`)).toBe(true);
    expect(await watches.add(caller, "mailbox://topics/one-more")).toBe(false);
    watches.clear();
    expect(await watches.add(caller, "mailbox://topics/one-more")).toBe(true);
  });
});
