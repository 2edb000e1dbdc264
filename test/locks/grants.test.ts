import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { queryAudit } from "../../src/audit/index.js";
import type { MailboxError } from "../../src/errors/index.js";
import { localPrincipal } from "../../src/identity/index.js";
import { guardFiles, guardRun, verifyToken } from "../../src/locks/index.js";
import { changeGrants, type Rule, removeGrants } from "../agents/change-grants.js";
import { describeOnEachStore } from "../stores/index.js";
import { type Locker, type LockHouse, openLocks, operatorOf, passTime } from "./open-locks.js";

/** A second is promised; a busy machine may take a moment longer to ask. */
const noticedMostMs = 2_000;

describeOnEachStore("grants on locks", (store) => {
  const houses: LockHouse[] = [];
  const open = async (namespace?: string): Promise<LockHouse> => {
    const house = await openLocks(store().url, {}, namespace);
    houses.push(house);
    return house;
  };
  const rule = (house: LockHouse, ...rules: Rule[]): Promise<readonly string[]> =>
    changeGrants(house.house.access, house.namespace, ...rules);
  const refusalOf = (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => "done",
      (error: Error) => error.message,
    );
  const deniedTo = (agent: string, action: string, resource: string): string =>
    `access.denied: ${agent} may not ${action} ${resource}. Ask the operator for a grant.`;
  const rowsOf = async (house: LockHouse, agent: string): Promise<readonly string[]> => {
    const rows: string[] = [];
    const { store: at, places } = house.house;
    for await (const { action, resource, outcome, because } of queryAudit(at, places, house.namespace, {
      agent,
    }))
      if (action.startsWith("lock.")) rows.push(`${action} ${resource} ${outcome} ${because}`);
    return rows.reverse();
  };
  const held = async (one: Locker, resource?: string): Promise<readonly (readonly string[])[]> =>
    (await one.list(resource)).holders.map(({ resources }) => resources);
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
  });

  it("that deny keep off what the pattern means, and off what may mean some of it", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    await rule(house, ["deny", "bob", "lock.acquire", "lock:/src/auth/**"]);
    for (const resource of ["src/auth/a.ts", "/src/./auth", "src/**", "src/*/a.ts", "**", "*/auth/b"]) {
      const kept = resource.replace("/src/./", "src/").replace(/^\//, "");
      expect(await refusalOf(bob.acquire(resource))).toBe(deniedTo("bob", "lock.acquire", `lock:${kept}`));
    }
    await rule(house, ["deny", "carol", "lock.acquire", "lock:customer:123"]);
    expect(await refusalOf((await house.as("carol")).acquire("*"))).toBe(
      deniedTo("carol", "lock.acquire", "lock:*"),
    );
    for (const resource of ["src/auth.ts", "src/*.ts", "Src/auth/a.ts", "web/**", "*"])
      expect((await bob.acquire(resource)).state).toBe("granted");
    expect((await alice.acquire("src/auth/a.ts")).state).toBe("granted");
  });

  it("refuse several at once whole where one of them is denied, and hold and queue nothing", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    await alice.acquire("a");
    await rule(house, ["deny", "bob", "lock.acquire", "lock:secret/**"]);
    for (const resources of [
      ["free", "secret/x"],
      ["a", "secret/x"],
      ["secret/x", "z"],
    ])
      expect(await refusalOf(bob.acquire(resources))).toBe(deniedTo("bob", "lock.acquire", "lock:secret/x"));
    expect(await alice.list()).toMatchObject({ holders: [{ agent: "alice" }], waiters: [], more: 0 });
    expect((await rowsOf(house, "bob")).filter((row) => !row.includes(" deny "))).toEqual([]);
    expect(await rowsOf(house, "bob")).toHaveLength(3);
  });

  it("refuse alike whether something is locked, and leave one row of each refusal", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    await alice.acquire(["secret/there", "open/there"]);
    await rule(house, ["deny", "bob", "lock.*", "lock:secret/**"]);
    for (const name of ["there", "not-there"]) {
      const resource = `lock:secret/${name}`;
      expect(await refusalOf(bob.acquire(`secret/${name}`))).toBe(deniedTo("bob", "lock.acquire", resource));
      expect(await refusalOf(bob.list(`secret/${name}`))).toBe(deniedTo("bob", "lock.read", resource));
      expect(await refusalOf(verifyToken(house.house.locks, bob.caller, `secret/${name}`, 1))).toBe(
        deniedTo("bob", "lock.read", resource),
      );
    }
    expect(await refusalOf(bob.list("secret/*"))).toBe(deniedTo("bob", "lock.read", "lock:secret/*"));
    const rows = await rowsOf(house, "bob");
    expect(rows.map((row) => row.replace(/: grant \w[\w-]*$/, ""))).toEqual([
      "lock.acquire lock:secret/there deny access.denied",
      "lock.read lock:secret/there deny access.denied",
      "lock.acquire lock:secret/not-there deny access.denied",
      "lock.read lock:secret/not-there deny access.denied",
      "lock.read lock:secret/* deny access.denied",
    ]);
  });

  it("that allow hold for what the pattern takes in whole, also for giving it back twice and for going on", async () => {
    const house = await open();
    const [alice, olga] = [await house.as("alice"), await house.as("olga", "observer")];
    await alice.acquire("customer:123");
    expect(await refusalOf(olga.acquire("customer:123"))).toMatch(/^access.denied/);
    await rule(house, ["allow", "role:observer", "lock.acquire", "lock:customer:123"]);
    await rule(house, ["allow", "olga", "lock.acquire", "lock:drafts/*.md"]);
    const { ticket } = await olga.acquire("customer:123");
    await alice.release((await alice.acquire("customer:123")).lock_id!);
    const mine = await olga.claim(ticket!);
    expect(mine.state).toBe("granted");
    expect((await olga.renew(mine.lock_id!)).state).toBe("renewed");
    for (const state of ["released", "gone"]) expect((await olga.release(mine.lock_id!)).state).toBe(state);
    expect(await refusalOf(olga.claim(ticket!))).toMatch(/^lock.ticket_unknown/);
    expect((await olga.acquire(["drafts/a.md", "drafts/b*.md", "customer:123"])).state).toBe("granted");
    for (const resource of ["customer:1234", "customer:*", "drafts/*", "drafts/**", "*", "**"])
      expect(await refusalOf(olga.acquire(["customer:123", resource]))).toBe(
        deniedTo("olga", "lock.acquire", `lock:${resource}`),
      );
  });

  it("leave out of what is listed, and of what is counted, all of which something may not be read", async () => {
    const house = await open();
    const [alice, bob, carol] = [await house.as("alice"), await house.as("bob"), await house.as("carol")];
    const hidden = Array.from({ length: 260 }, (_, n) => `secret/${n}`);
    // Those that end first are listed first: what may be read comes behind all that one look takes of what may not.
    for (const resource of hidden) await alice.acquire(resource, { lease_seconds: 60 });
    await alice.acquire(["open/1", "secret/with-it"], { lease_seconds: 60 });
    await alice.acquire("s*/x", { lease_seconds: 60 });
    await alice.acquire("open/2");
    expect((await carol.acquire("secret/0")).state).toBe("queued");
    expect((await carol.acquire("open/2")).state).toBe("queued");
    expect((await bob.list()).more).toBeGreaterThan(0);
    const [id] = await rule(house, ["deny", "bob", "lock.read", "lock:secret/**"]);
    expect(await bob.list()).toMatchObject({
      holders: [{ resources: ["open/2"] }],
      waiters: [{ agent: "carol", resources: ["open/2"] }],
      more: 0,
    });
    expect((await bob.list()).holders).toHaveLength(1);
    expect(await held(bob, "open/*")).toEqual([["open/2"]]);
    // What stands in the way of what was asked for is told to whoever may ask for it.
    expect((await bob.acquire("open/1")).holders).toMatchObject([{ agent: "alice", resource: "open/1" }]);
    await rule(house, ["deny", "bob", "lock.read", "lock:**"]);
    expect(await refusalOf(bob.list())).toBe(deniedTo("bob", "lock.read", "*"));
    await removeGrants(house.house.access, house.namespace, [id!]);
    expect((await carol.list()).more).toBeGreaterThan(0);
  });

  it("counts of a list that is cut what is left of it, and nothing else", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    for (let n = 0; n < 203; n++) await alice.acquire(n % 2 === 0 ? `open/${n}` : `open/also/${n}`);
    for (let n = 0; n < 10; n++) await alice.acquire(`secret/${n}`, { lease_seconds: 60 });
    await rule(house, ["deny", "bob", "lock.read", "lock:secret/**"]);
    const { holders, more } = await bob.list();
    expect([holders.length, more]).toEqual([200, 3]);
    expect(holders.some(({ resources }) => resources[0]!.startsWith("secret"))).toBe(false);
  });

  it("hold in another process within a second, also for what is held, renewed, queued and waited for", async () => {
    const here = await open();
    const there = await open(here.namespace);
    const [alice, bob] = [await here.as("alice"), await there.as("bob")];
    await alice.acquire(["x/wanted", "x/awaited", "y"]);
    const lease = await bob.acquire("x/held");
    const { ticket } = await bob.acquire("x/wanted");
    const second = await there.as("bob");
    const waiting = refusalOf(second.acquire("x/awaited", { wait_seconds: 50 }));
    await expect.poll(async () => (await alice.list("x/*")).waiters.length).toBe(2);
    const { grant } = await here.house.grants.add(operatorOf(here), {
      ...{ who: "bob", action: "lock.acquire", resource: "lock:x/**", effect: "deny" },
    });
    const changedAt = performance.now();
    const denied = deniedTo("bob", "lock.acquire", "lock:x/new");
    while ((await refusalOf(bob.acquire("x/new", { lease_seconds: 1 }))) !== denied)
      expect(performance.now() - changedAt).toBeLessThan(noticedMostMs);
    for (const call of [
      () => bob.renew(lease.lock_id!),
      () => bob.acquire("x/held"),
      () => bob.claim(ticket!),
      () => bob.acquire(["y", "x/wanted"]),
    ])
      expect(await refusalOf(call())).toMatch(/^access\.denied: bob may not lock\.acquire lock:x\//);
    await alice.end();
    expect(await waiting).toBe(deniedTo("bob", "lock.acquire", "lock:x/awaited"));
    expect((await here.as("carol").then((carol) => carol.list("x/awaited"))).holders).toMatchObject([
      { agent: "bob", state: "offered" },
    ]);
    expect((await bob.acquire("y")).state).toBe("granted");
    await here.house.grants.remove(operatorOf(here), grant.id);
    await expect.poll(async () => refusalOf(bob.renew(lease.lock_id!))).toBe("done");
  });

  it("keep nobody from giving back what it has, whichever of its runs has it, nor from leaving a queue", async () => {
    const here = await open();
    const there = await open(here.namespace);
    const [alice, bob, carol] = [await here.as("alice"), await here.as("bob"), await here.as("carol")];
    const [other, olga] = [await there.as("bob"), await here.as("olga", "observer")];
    await rule(here, ["allow", "olga", "lock.acquire", "lock:drafts/**"]);
    const [hers, draft] = [await alice.acquire("secret/hers"), await olga.acquire("drafts/1")];
    const [one, two, elsewhere] = [
      await bob.acquire(["secret/1", "free"]),
      await bob.acquire("secret/2"),
      await other.acquire("secret/3"),
    ];
    const { ticket: place } = await bob.acquire("secret/hers");
    await carol.acquire(["secret/1", "secret/2", "secret/3"]);
    await rule(here, ["deny", "bob", "*", "*"], ["deny", "olga", "lock.*", "lock:**"]);
    for (const call of [
      () => bob.acquire("secret/1"),
      () => bob.renew(one.lock_id!),
      () => bob.claim(place!),
      () => bob.list(),
    ])
      expect(await refusalOf(call())).toMatch(/^access\.denied: bob may not lock\.(acquire|read) /);
    expect(await bob.release(one.lock_id!)).toEqual({ state: "released", next: [], replayed: false });
    expect(await bob.release(place!)).toMatchObject({ state: "left_queue" });
    const keyed = { idempotency_key: "back-2" };
    expect(await bob.release(two.lock_id!, keyed)).toMatchObject({ state: "released", replayed: false });
    // By its key it gets its first answer, with which it was let do so; without one there is nothing of its any more.
    expect(await bob.release(two.lock_id!, keyed)).toMatchObject({ state: "released", replayed: true });
    expect(await refusalOf(bob.release(one.lock_id!, keyed))).toBe(deniedTo("bob", "lock.acquire", "*"));
    expect(await bob.release(elsewhere.lock_id!)).toMatchObject({
      ...{ state: "released", next: ["carol"] },
      other_run: other.caller.run.id.slice("bob/".length),
    });
    expect(await olga.release(draft.lock_id!)).toMatchObject({ state: "released" });
    // What is another's is as what never was, and stays.
    for (const id of [hers.lock_id!, "lk-000000000000", one.lock_id!, place!])
      expect(await refusalOf(bob.release(id))).toBe(deniedTo("bob", "lock.acquire", "*"));
    expect(await held(alice, "secret/hers")).toEqual([["secret/hers"]]);
    const rows = (await rowsOf(here, "bob")).filter((row) => row.startsWith("lock.release"));
    expect(rows).toEqual([
      "lock.release lock:free allow own",
      "lock.release lock:secret/1 allow own",
      "lock.release lock:secret/hers allow own",
      "lock.release lock:secret/2 allow own",
      "lock.release lock:secret/3 allow own",
    ]);
    expect((await rowsOf(here, "bob")).filter((row) => row.includes("lock.acquire * deny"))).toHaveLength(5);
  });

  it("let go of what is held, but not for whoever is stopped or is not believed any more", async () => {
    const house = await open();
    const bob = await house.as("bob");
    const { lock_id: id } = await bob.acquire("x");
    await house.house.access.change(
      house.namespace,
      [{ field: "stopped:bob", value: JSON.stringify({ reason: "x", by: "test", at: 0 }) }],
      { row: "" },
    );
    expect(await refusalOf(bob.release(id!))).toMatch(/^access\.stopped/);
    await house.house.access.change(house.namespace, [{ field: "stopped:bob" }], { row: "" });
    await house.house.tokens.issue(operatorOf(house), "somebody");
    expect(await refusalOf(bob.release(id!))).toMatch(/^auth\.required/);
    expect((await rowsOf(house, "bob")).filter((row) => row.startsWith("lock.release"))).toEqual([
      "lock.release * deny access.stopped",
      "lock.release * deny auth.required",
    ]);
  });

  it("tell whoever watches of nothing that may not be read", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    await rule(house, ["deny", "bob", "lock.read", "lock:secret/**"]);
    let told = 0;
    const stop = await house.house.rooms.watch(bob.caller, { kind: "locks" }, () => {
      told++;
    });
    for (let n = 0; n < 3; n++) await alice.acquire(`secret/${n}`);
    // Long enough for two looks at what is there.
    await delay(1_200);
    expect(told).toBe(0);
    const { lock_id: id } = await alice.acquire("open/1");
    await expect.poll(() => told, { timeout: 10_000 }).toBe(1);
    await alice.acquire("secret/more");
    await alice.release(id!);
    await expect.poll(() => told, { timeout: 10_000 }).toBe(2);
    stop();
  });

  it("tell whoever watches of a change of what may be read, and of nothing that is hidden from then on", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    let told = 0;
    const stop = await house.house.rooms.watch(bob.caller, { kind: "locks" }, () => {
      told++;
    });
    for (const hidden of ["secret", "plans"]) {
      await rule(house, ["deny", "bob", "lock.read", `lock:${hidden}/**`]);
      await delay(1_200);
      const before = told;
      for (const name of ["secret/1", `${hidden}/2`]) await alice.acquire(`${name}-${hidden}`);
      await delay(1_200);
      expect(told).toBe(before);
    }
    const before = told;
    await alice.acquire("open/1");
    await expect.poll(() => told, { timeout: 10_000 }).toBe(before + 1);
    stop();
  });

  it("have all that is there looked at for all together who watch, however many they are", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    await rule(house, ["deny", "bob", "lock.read", "lock:secret/**"]);
    const told = new Set<number>();
    const stops = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        house.house.rooms.watch(bob.caller, { kind: "locks" }, () => told.add(n)),
      ),
    );
    const { store: at } = house.house;
    const run = at.run.bind(at);
    let looks = 0;
    at.run = (script, ...given) => {
      if (script.name === "list-locks") looks++;
      return run(script, ...given);
    };
    const from = performance.now();
    for (let n = 0; n < 10; n++) {
      await alice.acquire(`open/${n}`);
      await delay(100);
    }
    await expect.poll(() => told.size, { timeout: 10_000 }).toBe(20);
    expect(looks).toBeGreaterThan(0);
    // One at each half second, and one that was under way.
    expect(looks).toBeLessThanOrEqual((performance.now() - from) / 500 + 2);
    for (const stop of stops) stop();
  });

  it("leave out of a circle of waits what others have of each other and may not be seen", async () => {
    const house = await open();
    const [alice, bob, carol] = [await house.as("alice"), await house.as("bob"), await house.as("carol")];
    await alice.acquire("open/1");
    await carol.acquire("secret/x");
    await bob.acquire("secret/own");
    await alice.acquire("secret/x");
    await carol.acquire("secret/own");
    const circle = (seen: string): string =>
      `you wait for "open/1", where alice is before you; alice waits for ${seen}, where carol is before it; carol waits for "secret/own", where you are before it`;
    expect(await refusalOf(bob.acquire("open/1"))).toContain(circle('"secret/x"'));
    await rule(house, ["deny", "bob", "lock.read", "lock:secret/**"]);
    const refused = await refusalOf(bob.acquire("open/1"));
    expect(refused).toMatch(/^lock\.deadlock/);
    expect(refused).toContain(circle("what you may not see"));
  });

  it("prolong what is held by no other call either, and say when it ends", async () => {
    const house = await open();
    const [alice, bob] = [await house.as("alice"), await house.as("bob")];
    const [denied, free] = [
      await bob.acquire(["secret/x", "with-it"], { lease_seconds: 100 }),
      await bob.acquire("free", { lease_seconds: 100 }),
    ];
    const endOf = async (id: string | undefined): Promise<number> =>
      Date.parse((await alice.list()).holders.find(({ lock_id }) => lock_id === id)!.until);
    await rule(house, ["deny", "bob", "lock.acquire", "lock:secret/**"]);
    const callLater = async (): Promise<readonly string[]> => {
      await passTime(store().url, house.namespace, 60_000);
      for (const lease of house.house.locks.known(bob.caller)!.leases.values()) lease.isDoubtful = true;
      return bob.news();
    };
    expect(await callLater()).toEqual([]);
    expect((await endOf(free.lock_id)) - (await endOf(denied.lock_id))).toBeGreaterThan(50_000);
    expect(await callLater()).toEqual([`lost ${denied.lock_id}`]);
    expect((await alice.acquire("secret/x")).state).toBe("granted");
  });

  it("are asked by the guard for each file", async () => {
    const house = await open();
    const [alice] = [await house.as("alice")];
    await alice.acquire(["src/auth/held.ts", "web/held.ts"]);
    const principal = localPrincipal(house.namespace, "bob");
    const bob = { principal, run: { id: guardRun("bob", "s") } };
    const refused: string[] = [];
    const onRefused = async (resource: string, { code }: MailboxError): Promise<void> => {
      refused.push(`${resource} ${code}`);
    };
    const guard = (paths: readonly string[], take = true) =>
      guardFiles(house.house.locks, bob, paths, { onRefused, ...(take && { takeSeconds: 60 }) });
    const files = [
      "src/auth/held.ts",
      "src/auth/free.ts",
      "src/auth/x\u200b.ts",
      "web/held.ts",
      "web/free.ts",
    ];
    await rule(house, ["deny", "bob", "lock.acquire", "lock:src/auth/**"]);
    const found = await guard(files);
    expect(found.reserved.map(({ path, agent }) => [path, agent])).toEqual([
      ["src/auth/held.ts", "alice"],
      ["web/held.ts", "alice"],
    ]);
    const message = (file: string): string => deniedTo("bob", "lock.acquire", `lock:src/auth/${file}`);
    expect(found.refused).toEqual([
      { path: files[2], code: "access.denied", message: message("*") },
      { path: files[1], code: "access.denied", message: message("free.ts") },
    ]);
    expect(refused).toEqual(["lock:src/auth/* access.denied", "lock:src/auth/free.ts access.denied"]);
    expect((await held(alice)).flat()).toContain("web/free.ts");
    expect((await held(alice)).flat()).not.toContain("src/auth/free.ts");
    // Who only looks reserves nothing, and may.
    expect((await guard(files, false)).refused).toEqual([]);
    await rule(house, ["deny", "bob", "lock.read", "lock:src/**"]);
    const looked = await guard(files, false);
    expect(looked.refused.map(({ path, code }) => [path, code])).toEqual(
      files.slice(0, 3).map((path) => [path, "access.denied"]),
    );
    expect(looked.reserved).toMatchObject([{ path: "web/held.ts", agent: "alice" }]);
  });
});
