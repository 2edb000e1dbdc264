import { afterAll, beforeAll, expect, it } from "vitest";
import { startStore, type TestStore } from "../stores/index.js";
import { type Office, openOffice } from "./command-line.js";

interface Listed {
  readonly holders: readonly { lock_id: string; agent: string; resources: string[] }[];
  readonly waiters: readonly { ticket: string; agent: string }[];
  readonly forced: readonly { lock_id: string; agent: string; by: string; reason: string }[];
}

let store: TestStore;
let office: Office;
beforeAll(async () => {
  store = await startStore("embedded");
  office = await openOffice(store.url);
});
afterAll(async () => {
  await office.close();
  await store.stop();
});

it("says that nothing is locked", async () => {
  expect((await office.run("locks")).out).toBe("Nothing is locked.\n");
});

it("shows who holds and who waits, and takes a lock from one that hangs, with the reason kept", async () => {
  const { locks } = office.house.rooms;
  const [alice, bob] = [await office.as("alice"), await office.as("bob")];
  const held = await locks.acquireLock(alice.caller, { resources: ["src/**", "customer:123"] });
  const queued = await locks.acquireLock(bob.caller, { resources: ["src/a.ts"] });

  // Each reply of a run closes with this.
  expect(await locks.news(alice.caller)).toEqual([]);

  const table = (await office.run("locks")).out;
  expect(table).toMatch(/^LOCK +STATE +AGENT +MODE +WHEN +RESOURCES$/m);
  expect(table).toMatch(
    new RegExp(`^${held.lock_id} +held +alice +exclusive +until .* customer:123, src/\\*\\*$`, "m"),
  );
  expect(table).toMatch(new RegExp(`^${queued.ticket} +waits +bob `, "m"));

  const released = await office.run("locks", "release", held.lock_id!, "--reason", "it hangs; see ticket 7");
  expect([released.status, released.out]).toEqual([0, "Taken from alice; next: bob.\n"]);
  const { holders, waiters, forced } = await office.json<Listed>("locks");
  expect(holders).toMatchObject([{ lock_id: queued.ticket, agent: "bob" }]);
  expect(waiters).toEqual([]);
  expect(forced).toMatchObject([
    { lock_id: held.lock_id, agent: "alice", by: "operator", reason: "it hangs; see ticket 7" },
  ]);
  // Whoever lost it is told with its next reply, once.
  await expect.poll(async () => (await locks.news(alice.caller)).map(({ what }) => what)).toEqual(["lost"]);
  expect(await locks.news(alice.caller)).toEqual([]);
});

it("lists what was taken by force with its reason, newest first, page by page", async () => {
  const { locks } = office.house.rooms;
  const dora = await office.as("dora");
  const ids: string[] = [];
  for (const reason of ["the first", "the second\u001b[2J", "the third"]) {
    const { lock_id: id } = await locks.acquireLock(dora.caller, { resources: ["pages/a"] });
    ids.unshift(id!);
    await office.run("locks", "release", id!, "--reason", reason);
  }
  const table = (await office.run("locks", "forced", "--limit", "2")).out;
  expect(table).toMatch(new RegExp(`^${ids[0]} .* dora +operator +pages/a +the third$`, "m"));
  expect(table).toContain("the second");
  expect(table).not.toContain("\u001b");
  expect(table).not.toContain("the first");
  expect(table).toContain(`--before ${ids[1]}`);
  const { forced } = await office.json<Listed>("locks", "forced", "--limit", "1", "--before", ids[1]!);
  expect(forced).toMatchObject([{ lock_id: ids[2], reason: "the first" }]);
  expect((await office.run("locks", "forced", "--before", "lk-000000000000")).status).toBe(1);
});

it("takes nothing without a reason, and says when there is nothing of that id", async () => {
  const gone = await office.run("locks", "release", "lk-000000000000", "--reason", "why not");
  expect([gone.status, gone.err]).toEqual([1, expect.stringContaining("no such lock or ticket")]);
  expect((await office.run("locks", "release", "lk-000000000000")).status).toBe(2);
  expect((await office.run("locks", "release", "lk-000000000000", "--reason", " ")).status).toBe(2);
});

it("tells whether a token is good for a resource now, by its status too", async () => {
  const { locks } = office.house.rooms;
  const carl = await office.as("carl");
  const { token, lock_id: id } = await locks.acquireLock(carl.caller, { resources: ["db/**"] });
  const good = await office.run("locks", "verify", "db/users", String(token));
  expect([good.status, good.out]).toEqual([0, expect.stringMatching(/^Valid: carl holds it until /)]);
  expect(await office.json("locks", "verify", "db/users", String(token))).toMatchObject({
    valid: true,
    agent: "carl",
  });
  const other = await office.run("locks", "verify", "lib/x", String(token));
  expect([other.status, other.out]).toEqual([
    1,
    "Stale: no lock on it has this token now; nobody holds it now.\n",
  ]);
  const part = await office.run("locks", "verify", "**", String(token));
  expect(part.out).toBe("Stale: the lock that has this token holds a part of it, and not all.\n");
  const never = await office.run("locks", "verify", "db/users", "9007199254740991");
  expect([never.status, never.out]).toEqual([
    1,
    "Unknown: no token that high was given here yet; carl holds it now.\n",
  ]);
  await locks.releaseLock(carl.caller, { lock_id: id! });
  expect((await office.run("locks", "verify", "db/users", String(token))).status).toBe(1);
  expect((await office.run("locks", "verify", "db/users", "abc")).status).toBe(2);
});
