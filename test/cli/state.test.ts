import { spawn } from "node:child_process";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startStore, type TestStore } from "../stores/index.js";
import { main, type Office, openOffice } from "./command-line.js";

describe("llm-mailbox state", () => {
  let store: TestStore;
  let office: Office;
  beforeAll(async () => {
    store = await startStore("embedded");
  });
  afterAll(() => store.stop());
  beforeEach(async () => {
    office = await openOffice(store.url);
    return () => office.close();
  });

  it("writes, shows, lists and deletes what agents keep, with who wrote it", async () => {
    const { caller } = await office.as("alice");
    await office.house.rooms.state.putState(caller, { key: "plan/owner", value: '"al\\u202eice"' });
    const put = await office.json<Record<string, unknown>>(
      "state",
      "put",
      "Plan/Due",
      '{"day": 3}',
      "--ttl",
      "60",
    );
    expect(put).toMatchObject({ key: "plan/due", state: "stored", expires_at: expect.any(String) });
    const { entries, more } = await office.json<{ entries: object[]; more: boolean }>(
      "state",
      "list",
      "plan/",
    );
    expect(more).toBe(false);
    expect(entries).toEqual([
      expect.objectContaining({ key: "plan/due", value: '{"day": 3}', by: "operator", verified: true }),
      expect.objectContaining({ key: "plan/owner", by: "alice", verified: false }),
    ]);
    const table = await office.run("state", "list");
    expect(table.out).toMatch(/^KEY +VALUE +BY +WRITTEN +EXPIRES\n/);
    expect(table.out).toMatch(/\nplan\/owner +"al\\u202eice" +alice \(unverified\) /);
    expect((await office.run("state", "get", "plan/due")).out).toBe('{"day": 3}\n');
    expect(
      (await office.json<{ entries: object[]; more: boolean }>("state", "list", "--limit", "1")).more,
    ).toBe(true);
    expect((await office.run("state", "put", "plan/due", "--delete")).out).toMatch(
      /^plan\/due is deleted, version \d{16}\.\n$/,
    );
    const gone = await office.run("state", "get", "plan/due");
    expect([gone.status, gone.out]).toEqual([1, ""]);
    expect(gone.err).toContain("there is no entry under plan/due");
    expect((await office.run("state", "put", "plan/due", "--delete")).out).toBe(
      "There was no entry under plan/due.\n",
    );
  });

  it("ends with status 1 and writes nothing when the version is another", async () => {
    await office.run("state", "put", "plan/owner", "alice", "--expected-version", "0");
    const lost = await office.run("state", "put", "plan/owner", "bob", "--expected-version", "0");
    expect(lost.status).toBe(1);
    expect(lost.err).toMatch(
      /^llm-mailbox: plan\/owner is at version \d{16}, written by operator; nothing was/,
    );
    const none = await office.run("state", "put", "plan/none", "bob", "--expected-version", "5");
    expect([none.status, none.err]).toEqual([
      1,
      "llm-mailbox: plan/none is not there, and --expected-version 0 creates it; nothing was written\n",
    ]);
    const { version } = await office.json<{ version: number }>("state", "get", "plan/owner");
    const won = await office.run("state", "put", "plan/owner", "bob", "--expected-version", String(version));
    expect([won.status, won.err]).toEqual([0, ""]);
    expect((await office.run("state", "get", "plan/owner")).out).toBe('"bob"\n');
  });

  it("shows the versions of a key, the newest first", async () => {
    for (const value of ["1", "2"]) await office.run("state", "put", "n", value);
    await office.run("state", "put", "n", "--delete");
    const { versions } = await office.json<{ versions: { what: string; value?: string }[] }>(
      "state",
      "history",
      "n",
    );
    expect(versions.map(({ what, value }) => [what, value])).toEqual([
      ["deleted", undefined],
      ["written", "2"],
      ["written", "1"],
    ]);
    expect((await office.run("state", "history", "n")).out).toMatch(/^ +VERSION +WHAT +BY +WHEN +VALUE\n/);
    expect((await office.run("state", "history", "m")).out).toContain("Nothing was ever written under m");
  });

  it("reads a value from standard input", async () => {
    const child = spawn(process.execPath, [main, "state", "put", "big", "-"], {
      env: { PATH: process.env.PATH!, ...office.settings },
    });
    child.stdin.end(JSON.stringify({ text: "x".repeat(60_000) }));
    expect(await new Promise((resolve) => child.once("close", resolve))).toBe(0);
    expect((await office.run("state", "get", "big")).out).toHaveLength(60_012);
  });

  it("says what is wrong with what was typed, with status 2", async () => {
    for (const args of [
      ["put", "a"],
      ["put", "a", "1", "--delete"],
      ["put", "../a", "1"],
      ["put", "a", "x".repeat(65_536)],
      ["put", "a", "1", "--expected-version", "x"],
      ["get", "a b"],
      ["list", "a//"],
      ["shred", "a"],
    ]) {
      const ended = await office.run("state", ...args);
      expect([args[0], ended.status, ended.out]).toEqual([args[0], 2, ""]);
      expect(ended.err).toMatch(/^llm-mailbox: /);
    }
    expect((await office.run("state", "list")).out).toContain("No shared state yet");
  });
});
