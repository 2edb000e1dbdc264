import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { linkApproval, openApproval } from "../../src/approvals/index.js";
import { onlookerOf, operator } from "../../src/cli/with-house.js";
import { MailboxError } from "../../src/errors/index.js";
import { localPrincipal, parseAuditRow } from "../../src/identity/index.js";
import { resourceList, templateList } from "../../src/mcp/resources/list.js";
import { readResource } from "../../src/mcp/resources/read.js";
import { parseResource, watchTarget } from "../../src/mcp/resources/resource-uri.js";
import { toolbox } from "../../src/mcp/toolbox.js";
import { approvalKeys, lockKeys, mailboxKeys } from "../../src/redis/index.js";
import { changeGrants } from "../agents/change-grants.js";
import type { Agent } from "../faults/fault-house.js";
import { StoreProxy } from "../faults/store-proxy.js";
import { describeOnEachStore, startStore, type TestStore } from "../stores/index.js";
import { AuditDesk, told } from "./audit-desk.js";

describeOnEachStore("the audit", (store) => {
  const desks: AuditDesk[] = [];
  const open = async (settings: Record<string, string> = {}): Promise<AuditDesk> => {
    const desk = await AuditDesk.open(store().url, { settings });
    desks.push(desk);
    return desk;
  };
  afterEach(async () => {
    await Promise.all(desks.splice(0).map((desk) => desk.close()));
  });

  /** Calls a tool as the face does. */
  const call = (agent: Agent, name: string, input: object): Promise<unknown> => {
    const tool = toolbox.find((one) => one.name === name)!;
    const { mail, topics, locks, state, policy, approvals, agents } = agent.house.rooms;
    return tool.handle(input as never, {
      ...{ caller: agent.caller, mail, topics, locks, state, policy, approvals, agents },
      ...{ session: true, structured: false },
      signal: () => new AbortController().signal,
      draining: undefined,
      onWaiting: () => undefined,
      tells: () => undefined,
    });
  };

  it("has no token that somebody took for the name of a resource", async () => {
    const desk = await open();
    const alice = await desk.begin("alice");
    const token = `lmt_default_${"0".repeat(16)}${"Ab".repeat(21)}c`;
    const jwt = `eyJ${"a".repeat(20)}.${"b".repeat(20)}.${"c".repeat(20)}`;
    const before = await desk.events();
    await call(alice, "acquire_lock", { resources: [token, `x/${jwt}/y`] });
    await call(alice, "check_policy", { action: "file.read", resource: `see ${token} and ${jwt}` });
    const text = (await desk.eventsSince(before)).map(told).join("\n");
    expect(text).not.toContain(token.slice(0, 30));
    expect(text).not.toContain(jwt.slice(0, 20));
    expect(text).toContain("lock:lmt_…");
    expect(text).toContain("lock:x/eyJa…/y");
    expect(text).toContain("check:file.read see lmt_… and eyJa…");
  });

  it("has no password or key of an address, and no command", async () => {
    const desk = await open();
    const alice = await desk.begin("alice");
    const before = await desk.events();
    const address =
      "https://ann:s3cr3t1@h.example/p?page=2&api_key=s3cr3t2&X-Amz-Signature=s3cr3t3#access_token=s3cr3t4";
    await call(alice, "check_policy", { action: "web.fetch", resource: address });
    await call(alice, "check_policy", { action: "shell.run", resource: "PASSWORD=s3cr3t5 make" });
    await call(alice, "acquire_lock", { resources: ["db/postgres://s3cr3t6@h/x"] });
    const text = (await desk.eventsSince(before)).map(told).join("\n");
    expect(text).not.toContain("s3cr3t");
    expect(text).toContain(
      "check:web.fetch https://…@h.example/p?page=2&api_key=…&X-Amz-Signature=…#access_token=… allow",
    );
    expect(text).toContain("check:shell.run allow");
  });

  it("has the rows of those who look with the eyes of an agent that was never here, and seals them", async () => {
    const desk = await open();
    const { rooms } = desk.house;
    const eyes = onlookerOf(desk.house.config, "ghost");
    await rooms.mail.unread(eyes);
    await changeGrants(desk.house.access, desk.namespace, ["deny", "spook", "policy.check", "*"]);
    const event = { tool: "Bash", input: { command: "ls" }, asksUser: true, folder: "/" };
    await rooms.policy.hook(localPrincipal(desk.namespace, "shade"), event, {});
    await expect(rooms.policy.hook(localPrincipal(desk.namespace, "spook"), event, {})).rejects.toThrow(
      "access.denied",
    );
    const rows = [
      "ghost mailbox.read ghost allow role agent",
      "shade policy.check check:shell.run allow role agent; no rule",
      expect.stringMatching(/^spook policy\.check \S+ deny access\.denied/),
    ];
    expect((await desk.events()).map(told)).toEqual(expect.arrayContaining(rows));
    await desk.sealer().seal(desk.namespace);
    const sealed = (await desk.events()).filter(({ number }) => number !== undefined);
    expect(sealed.map(told)).toEqual(expect.arrayContaining(rows));
    const left = await desk.house.store.command("EXISTS", mailboxKeys(desk.namespace, "ghost").audit);
    expect(left).toBe(0);
  });

  it("has one row for a call of each tool, with who, what, on which resource, decision and reason", async () => {
    const desk = await open();
    const [alice, bob] = [await desk.begin("alice"), await desk.begin("bob")];
    const { message_id: id } = await bob.send("alice", "a question");
    const calls: Record<string, readonly [input: object, row: string]> = {
      send_message: [{ to: ["bob"], body: "hello" }, "alice mailbox.send bob allow role agent"],
      read_inbox: [{}, "alice mailbox.read alice allow role agent"],
      ack_messages: [{ ids: [id] }, "alice mailbox.read alice allow role agent"],
      search_messages: [{ query: "hello" }, "alice mailbox.read alice allow role agent"],
      subscribe_topic: [{ topic: "builds.*" }, "alice topic.read topic:builds.* allow role agent"],
      find_recipients: [{}, "alice agents.find * allow role agent"],
      my_status: [{}, "alice agents.describe alice allow role agent"],
      acquire_lock: [{ resources: ["src/**"] }, "alice lock.acquire lock:src/** allow role agent"],
      release_lock: [{ lock_id: "lk-000000000000" }, "alice lock.acquire * allow role agent"],
      list_locks: [{}, "alice lock.read * allow role agent"],
      get_state: [{ key: "plan/owner" }, "alice state.read state:plan/owner allow role agent"],
      put_state: [{ key: "plan/owner", value: "1" }, "alice state.write state:plan/owner allow role agent"],
      check_policy: [
        { action: "file.read", resource: "a" },
        "alice policy.check check:file.read a allow role agent; no rule",
      ],
      settle_reservation: [
        { reservation_id: "ID", cost: 1 },
        "alice budget.settle reservation:ID allow role agent; cost 1",
      ],
      decide_approval: [{}, "carol approval.decide * allow role approver"],
      manage_dead_letters: [{ action: "list" }, "boss admin.dead-letters * allow role admin"],
    };
    const boss = await desk.begin("boss", ["admin"]);
    const carol = await desk.begin("carol", ["approver"]);
    const { policy } = desk.house.rooms;
    const { reservation_id: reserved } = await policy.checkPolicy(alice.caller, {
      action: "file.read",
      reserve: 1,
    });
    expect(Object.keys(calls)).toEqual(toolbox.map(({ name }) => name));
    for (const [name, [input, row]] of Object.entries(calls)) {
      const before = await desk.events();
      const who = row.startsWith("boss") ? boss : row.startsWith("carol") ? carol : alice;
      const whole = JSON.parse(JSON.stringify(input).replace('"ID"', JSON.stringify(reserved))) as object;
      await call(who, name, whole);
      const events = await desk.eventsSince(before);
      expect(events.map(told), name).toEqual([row.replace("ID", reserved!)]);
      expect(events.at(-1)).toMatchObject({ by: "none", run: who.caller.run.id.split("/")[1] });
    }
  });

  it("has a row for each of 600 refusals in a minute that nothing bounds, and one that counts the rest", async () => {
    const desk = await open({ LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "3" });
    const { rooms, recorder } = desk.house;
    const alice = await desk.begin("alice");
    const endless: readonly (readonly [code: string, who: string, call: () => Promise<unknown>])[] = [
      ["auth.invalid", "", () => rooms.identity.verify("a-credential-that-is-none")],
      ["mailbox.rate_limited", "alice", () => rooms.agents.myStatus(alice.caller, {})],
    ];
    for (const [code, who, call] of endless) {
      let refused = 0;
      // A minute that ends meanwhile refuses a few calls less.
      for (let n = 0; refused < 603; n++) {
        expect(n).toBeLessThan(700);
        await call().catch((error: MailboxError) => {
          expect(error.code).toBe(code);
          refused++;
        });
      }
      const rows = async (): Promise<readonly string[]> =>
        (await desk.events())
          .filter(({ agent, outcome }) => agent === who && outcome !== "allow")
          .map(({ because }) => because);
      expect(await rows(), code).toEqual(new Array(600).fill(code));
      await recorder.close();
      expect((await rows()).slice(600), code).toEqual([
        `${code}; and 2 more refusals of this caller in the same minute`,
      ]);
    }
  });

  it("has one row for the other ways to call a tool", async () => {
    const desk = await open();
    const [alice, bob] = [await desk.begin("alice"), await desk.begin("bob")];
    const { message_id: id } = await bob.send("alice", "x".repeat(20_000));
    await bob.send("topic:news", "a thing");
    const ways: readonly (readonly [what: string, input: object, rows: readonly string[]])[] = [
      ["read_inbox", { peek: true }, ["mailbox.read alice"]],
      ["read_inbox", { redeliver: true }, ["mailbox.read alice"]],
      ["read_inbox", { message_id: id, offset: 19_000 }, ["mailbox.read alice"]],
      ["read_inbox", { wait_seconds: 1, sender: "nobody" }, ["mailbox.read alice"]],
      ["read_inbox", { mailbox: "queue:work" }, ["mailbox.read queue:work"]],
      ["send_message", { to: ["topic:news"], body: "x" }, ["topic.publish topic:news"]],
      [
        "send_message",
        { to: ["bob", "queue:work", "topic:news"], body: "y" },
        ["mailbox.send bob", "mailbox.send queue:work", "topic.publish topic:news"],
      ],
      ["search_messages", { topic: "news" }, ["topic.read topic:news"]],
      ["search_messages", { sent: true }, ["mailbox.read alice"]],
      ["subscribe_topic", { topic: "**" }, ["topic.read topic:**"]],
      ["subscribe_topic", { topic: "**", stop: true }, ["topic.read topic:**"]],
      ["my_status", { describe: "reviews" }, ["agents.describe alice"]],
      ["ack_messages", { ids: ["1kq0x3v9a2-0a1b2c3d4e5f6"] }, ["mailbox.read alice"]],
      ["acquire_lock", { resources: ["b", "./a"] }, ["lock.acquire lock:a", "lock.acquire lock:b"]],
      ["acquire_lock", { resources: ["x"], wait_seconds: 1 }, ["lock.acquire lock:x"]],
      ["list_locks", { resource: "a" }, ["lock.read lock:a"]],
    ];
    for (const [name, input, rows] of ways) {
      const before = await desk.events();
      await call(alice, name, input);
      const found = (await desk.eventsSince(before)).map(({ action, resource }) => `${action} ${resource}`);
      expect(found.sort(), `${name} ${JSON.stringify(input)}`).toEqual(rows);
    }
  });

  it("names what a lock_id or a ticket alone stands for, in whichever run, and what is gone by nothing", async () => {
    const desk = await open();
    const [alice, again, bob] = [
      await desk.begin("alice"),
      await desk.begin("alice"),
      await desk.begin("bob"),
    ];
    const acquire = (agent: Agent, input: object) =>
      call(agent, "acquire_lock", input) as Promise<{ lock_id: string; ticket: string }>;
    const { lock_id: held } = await acquire(alice, { resources: ["src/a"] });
    const other = await acquire(bob, { resources: ["b"] });
    const { ticket } = await acquire(alice, { resources: ["b"] });
    const calls: readonly (readonly [agent: Agent, input: object, resource: string])[] = [
      [alice, { lock_id: held }, "lock:src/a"],
      [alice, { ticket }, "lock:b"],
      [again, { lock_id: held }, "lock:src/a"],
      [again, { ticket }, "lock:b"],
    ];
    for (const [agent, input, resource] of calls) {
      const before = await desk.events();
      await acquire(agent, input);
      expect((await desk.eventsSince(before)).map(told)).toEqual([
        `alice lock.acquire ${resource} allow role agent`,
      ]);
    }
    const before = await desk.events();
    await expect(acquire(again, { lock_id: other.lock_id })).rejects.toThrow(/^lock\.not_yours/);
    expect((await desk.eventsSince(before)).map(told)).toEqual([
      "alice lock.acquire * refuse lock.not_yours",
    ]);
  });

  it("has one row for a call that names what is another's, is over or never was, and for one that goes on without", async () => {
    const desk = await open();
    const [alice, bob] = [await desk.begin("alice"), await desk.begin("bob")];
    const acquire = (agent: Agent, input: object) =>
      call(agent, "acquire_lock", input) as Promise<{ lock_id: string; ticket: string; token: number }>;
    const held = await acquire(alice, { resources: ["held"] });
    const carl = await desk.begin("carl");
    await acquire(alice, { resources: ["contended"] });
    const { ticket } = await acquire(carl, { resources: ["contended"] });
    const own = await acquire(bob, { resources: ["own"] });
    await acquire(alice, { resources: ["own"] });
    await acquire(bob, { resources: ["keyed"], idempotency_key: "k" });
    const { message_id: mail } = await carl.send("alice", "a question");
    const asked = await openApproval(desk.house.approvals, alice.caller, {
      ...{ action: "file.delete", resource: "x", arguments: {}, context: {}, rules: ["r"], reasons: [] },
      ...{ why: "", risk: "" },
      terms: {
        expiresMs: 60_000,
        otherwise: "deny",
        quorum: 1,
        byClient: false,
        approvers: ["role:approver"],
      },
    });
    const { reservation_id: reservation } = await desk.house.rooms.policy.checkPolicy(alice.caller, {
      action: "file.read",
      reserve: 1,
    });
    const cursor = Buffer.from("other x").toString("base64url");
    const absent = "lk-000000000000";
    const calls: readonly (readonly [name: string, input: object, row: string | RegExp])[] = [
      ["acquire_lock", { lock_id: held.lock_id }, "lock.acquire * refuse lock.not_yours"],
      ["acquire_lock", { lock_id: absent }, "lock.acquire * refuse lock.not_yours"],
      ["acquire_lock", { ticket }, "lock.acquire * refuse lock.ticket_unknown"],
      ["acquire_lock", { ticket: absent }, "lock.acquire * refuse lock.ticket_unknown"],
      ["acquire_lock", { ticket: absent, wait_seconds: 1 }, "lock.acquire * refuse lock.ticket_unknown"],
      ["acquire_lock", { ticket: absent, resources: ["new"] }, "lock.acquire lock:new allow role agent"],
      ["acquire_lock", { resources: ["held"] }, "lock.acquire lock:held refuse lock.deadlock"],
      [
        "acquire_lock",
        { resources: ["other"], idempotency_key: "k" },
        "lock.acquire lock:other refuse lock.idempotency_conflict",
      ],
      ["acquire_lock", { lock_id: own.lock_id }, "lock.acquire lock:own allow role agent"],
      ["release_lock", { lock_id: held.lock_id }, "lock.acquire * allow role agent"],
      ["check_policy", { approval_id: asked.id }, "policy.check * refuse approval.unknown"],
      ["check_policy", { approval_id: asked.id, wait_seconds: 1 }, "policy.check * refuse approval.unknown"],
      ["check_policy", { approval_id: "ap-000000000000" }, "policy.check * refuse approval.unknown"],
      ["settle_reservation", { reservation_id: reservation, cost: 1 }, /^budget\.settle \* refuse budget\./],
      ["get_state", { prefix: "", cursor }, "state.read * refuse state.cursor_invalid"],
      ["get_state", { prefix: "plan/", cursor: "x" }, "state.read state:plan refuse state.cursor_invalid"],
      ["read_inbox", { message_id: mail }, "mailbox.read bob refuse mailbox.not_yours"],
      ["ack_messages", { ids: [mail] }, "mailbox.read bob refuse mailbox.not_yours"],
      ["send_message", { to: ["alice"], body: "x", in_reply_to: absent }, /^mailbox\.send alice refuse /],
      [
        "send_message",
        { to: ["alice"], body: "x", resource: "held", fencing_token: held.token },
        "mailbox.send alice refuse lock.stale_token",
      ],
      ["subscribe_topic", { topic: "news", start_at: absent }, /^topic\.read topic:news refuse /],
    ];
    for (const [name, input, row] of calls) {
      const before = await desk.events();
      await call(bob, name, input).catch((error: unknown) => {
        if (!(error instanceof MailboxError)) throw error;
      });
      const rows = (await desk.eventsSince(before)).map((event) => told(event).replace(/^bob /, ""));
      const expected = typeof row === "string" ? row : expect.stringMatching(row);
      expect(rows, `${name} ${JSON.stringify(input)}`).toEqual([expected]);
    }
    // What is another's is answered as what never was.
    const pairs: readonly (readonly [
      name: string,
      input: (id: string) => object,
      theirs: string,
      none: string,
    ])[] = [
      ["acquire_lock", (id) => ({ lock_id: id }), held.lock_id, absent],
      ["acquire_lock", (id) => ({ ticket: id }), ticket, absent],
      ["release_lock", (id) => ({ lock_id: id }), held.lock_id, absent],
      ["check_policy", (id) => ({ approval_id: id }), asked.id, "ap-000000000000"],
      ["settle_reservation", (id) => ({ reservation_id: id, cost: 1 }), reservation!, "rs-0000000000000000"],
      ["read_inbox", (id) => ({ message_id: id }), mail, "1kq0x3v9a2-0a1b2c3d4e5f6"],
      ["ack_messages", (id) => ({ ids: [id] }), mail, "1kq0x3v9a2-0a1b2c3d4e5f6"],
    ];
    const saidOf = async (name: string, input: object, id: string): Promise<string> =>
      call(bob, name, input).then(
        (answer) => JSON.stringify(answer).replaceAll(id, "ID"),
        (error: Error) => error.message.replaceAll(id, "ID"),
      );
    for (const [name, input, theirs, none] of pairs)
      expect(await saidOf(name, input(theirs), theirs), name).toBe(await saidOf(name, input(none), none));
  });

  it("has one row for a step that is asked about together with its approval, approved or not", async () => {
    const desk = await open();
    const alice = await desk.begin("alice");
    const carol = (await desk.begin("carol", ["approver"])).caller;
    await desk.house.tokens.setRoles(operator(desk.house.config), "carol", ["approver"]);
    const step = { action: "directory.delete", resource: "a" };
    const { policy, approvals } = desk.house.rooms;
    const { approval } = (await policy.checkPolicy(alice.caller, step)) as { approval: { id: string } };
    const asked = { ...step, approval_id: approval.id };
    for (const row of [
      "alice policy.check * allow role agent",
      /^alice policy\.check check:directory\.delete a allow /,
    ]) {
      const before = await desk.events();
      await call(alice, "check_policy", asked);
      const rows = (await desk.eventsSince(before)).map(told).filter((one) => one.includes("policy.check"));
      expect(rows).toEqual([typeof row === "string" ? row : expect.stringMatching(row)]);
      await approvals
        .decideApproval(carol, { approval_id: approval.id, decision: "approve" })
        .catch(() => undefined);
    }
  });

  it("has one row for each file that a guard looks at or takes, and for what it gives back", async () => {
    const desk = await open();
    const alice = await desk.begin("alice");
    await call(alice, "acquire_lock", { resources: ["src/held"] });
    await changeGrants(
      desk.house.access,
      desk.namespace,
      ["deny", "bob", "*", "lock:secret/**"],
      ["deny", "bob", "lock.read", "lock:blind/**"],
    );
    const bob = localPrincipal(desk.namespace, "bob");
    const files = ["src/held", "src/free", "secret/a", "blind/a", "src/odd*name"];
    const take = { session: "one", lease_seconds: 60 };
    const { locks } = desk.house.rooms;
    const own = "role agent";
    const denied = "deny access.denied";
    const ways: readonly (readonly [make: () => Promise<unknown>, rows: readonly string[]])[] = [
      [
        () => locks.guardFiles(bob, { files }),
        [
          `lock.acquire lock:blind/a allow ${own}`,
          `lock.read lock:src/* allow ${own}`,
          `lock.read lock:secret/a ${denied}`,
          `lock.read lock:src/free allow ${own}`,
          `lock.read lock:src/held allow ${own}`,
        ],
      ],
      [
        () => locks.guardFiles(bob, { files, take }),
        [
          `lock.acquire lock:blind/a allow ${own}`,
          `lock.acquire lock:src/free allow ${own}`,
          `lock.read lock:src/* allow ${own}`,
          `lock.read lock:secret/a ${denied}`,
          `lock.read lock:src/held allow ${own}`,
        ],
      ],
      [() => locks.guardStop(bob, "one"), ["lock.release * allow own"]],
    ];
    for (const [make, rows] of ways) {
      const before = await desk.events();
      await make();
      const found = (await desk.eventsSince(before)).map((event) => told(event).replace(/^bob /, ""));
      expect(found.sort()).toEqual([...rows].sort());
    }
    await desk.sealer().seal(desk.namespace);
    expect(
      (await desk.events()).filter(({ agent, number }) => agent === "bob" && number === undefined),
    ).toEqual([]);
  });

  it("has one row for a read of each resource", async () => {
    const desk = await open();
    const [alice, bob] = [await desk.begin("alice"), await desk.begin("bob")];
    const { message_id: id } = await bob.send("alice", "a question");
    await bob.send("topic:builds.ci", "done");
    const uris: Record<string, readonly [uri: string, row: string]> = {
      inbox: ["mailbox://inbox", "mailbox.read alice"],
      topics: ["mailbox://topics", "topic.read topic:**"],
      locks: ["mailbox://locks", "lock.read *"],
      agents: ["mailbox://agents", "agents.find *"],
      topic: ["mailbox://topics/builds.ci", "topic.read topic:builds.ci"],
      state: ["mailbox://state/plan/owner", "state.read state:plan/owner"],
      thread: [`mailbox://threads/${id}`, "mailbox.read alice"],
      message: [`mailbox://messages/${id}`, "mailbox.read alice"],
    };
    expect(Object.keys(uris)).toEqual([...resourceList, ...templateList].map(({ name }) => name));
    for (const [name, [uri, row]] of Object.entries(uris)) {
      const before = await desk.events();
      await readResource(desk.house.rooms, alice.caller, parseResource(uri)!);
      const found = await desk.eventsSince(before);
      expect(
        found.map(({ action, resource }) => `${action} ${resource}`),
        name,
      ).toEqual([row]);
    }
  });

  it("has one row for what somebody watches, and for what it may not watch", async () => {
    const desk = await open();
    const [alice, nora] = [await desk.begin("alice"), await desk.begin("nora")];
    await changeGrants(desk.house.access, desk.namespace, ["deny", "nora", "*", "*"]);
    const uris: readonly (readonly [uri: string, row: string])[] = [
      ["mailbox://inbox", "mailbox.read NAME"],
      ["mailbox://topics", "topic.read *"],
      ["mailbox://topics/builds.ci", "topic.read topic:builds.ci"],
      ["mailbox://locks", "lock.read *"],
      ["mailbox://agents", "agents.find *"],
      ["mailbox://state/plan/owner", "state.read state:plan/owner"],
    ];
    const named = [...resourceList.map(({ uri }) => uri), ...uris.map(([uri]) => uri)];
    expect(new Set(uris.map(([uri]) => uri))).toEqual(new Set(named.filter((uri) => watchTarget(uri))));
    for (const [uri, row] of uris)
      for (const { caller } of [alice, nora]) {
        const before = await desk.events();
        const { agent } = caller.principal;
        const watching = desk.house.rooms.watch(caller, watchTarget(uri)!, () => undefined);
        if (agent === "nora") await expect(watching).rejects.toMatchObject({ code: "access.denied" });
        else (await watching)();
        const decided = agent === "nora" ? /deny access\.denied: grant \w+$/ : /allow role agent$/;
        const rows = (await desk.eventsSince(before)).map(told);
        expect(rows, uri).toEqual([expect.stringMatching(decided)]);
        expect(rows[0]).toContain(`${agent} ${row.replace("NAME", agent)} `);
      }
  });

  it("has one row for each refusal, with its code and who was known", async () => {
    const desk = await open({ LLM_MAILBOX_MAX_MESSAGES: "1", LLM_MAILBOX_MAX_MESSAGES_PER_SENDER: "1" });
    const [alice, bob] = [await desk.begin("alice"), await desk.begin("bob")];
    await alice.send("bob", "first");
    const refused: readonly (readonly [call: () => Promise<unknown>, row: string])[] = [
      [() => alice.send("everyone", "x"), "alice mailbox.send everyone deny access.denied: no grant"],
      [() => bob.send("bob", "x"), "bob mailbox.send bob refuse mailbox.full"],
      [() => alice.send(["bob", "Not A Name!"], "x"), "alice mailbox.send bob,? refuse address.invalid"],
      [() => alice.send("bbo", "x"), "alice mailbox.send bbo refuse mailbox.unknown_recipient"],
      [
        () => desk.house.rooms.mail.messageById(alice.caller, "1kq0x3v9a2-0a1b2c3d4e5f6"),
        "alice mailbox.read alice refuse mailbox.not_yours",
      ],
      [
        () => desk.house.rooms.topics.history(alice.caller, "nowhere", { limit: 1 }),
        "alice topic.read topic:nowhere refuse topic.unknown",
      ],
      [() => alice.read({ mailbox: "bob" }), "alice mailbox.read bob refuse input.invalid"],
    ];
    for (const [make, row] of refused) {
      const before = await desk.events();
      await expect(make()).rejects.toThrow(/^[a-z_]+\.[a-z_]+:/);
      expect((await desk.eventsSince(before)).map(told)).toEqual([row]);
    }
  });

  it("tells of a send to several who was refused by the recipient's mailbox, once", async () => {
    const desk = await open({ LLM_MAILBOX_MAX_MESSAGES: "1", LLM_MAILBOX_MAX_MESSAGES_PER_SENDER: "1" });
    const alice = await desk.begin("alice");
    await Promise.all(["bob", "carl"].map((name) => desk.begin(name)));
    await alice.send("bob", "first");
    const before = await desk.events();
    await alice.send(["bob", "carl"], "second", { idempotency_key: "k" });
    await alice.send(["bob", "carl"], "second", { idempotency_key: "k" });
    expect((await desk.eventsSince(before)).map(told).sort()).toEqual([
      "alice mailbox.send bob allow role agent",
      "alice mailbox.send bob refuse mailbox.full",
      "alice mailbox.send carl allow role agent",
    ]);
  });

  it("holds no body, subject, reason, key, description, search or attachment name of anybody", async () => {
    const desk = await open();
    const [alice, bob] = [await desk.begin("alice"), await desk.begin("bob")];
    const secret = (n: number): string => `s3cr3t-planted-${n}`;
    const sent = await alice.send("bob", secret(1), {
      subject: secret(2),
      idempotency_key: secret(3),
      data: { key: secret(4) },
    });
    await alice.send(["bob", "topic:news"], secret(5), { idempotency_key: secret(6) });
    await bob.read();
    await bob.ack(sent.message_id, "reject", { reason: secret(7) } as never);
    await call(bob, "my_status", { describe: secret(8), capabilities: [secret(9)] });
    await call(bob, "search_messages", { query: secret(10) });
    await call(bob, "find_recipients", { text: secret(11) });
    await alice.send(`${secret(12)} is no name`, "x").catch(() => undefined);
    await alice.read({ mailbox: `${secret(13)} is no name` }).catch(() => undefined);
    await bob.ack(secret(14), "done");
    await alice.send("bob", "x", { in_reply_to: secret(15) }).catch(() => undefined);
    await desk.house.rooms.topics
      .subscribeTopic(bob.caller, { topic: "a", start_at: secret(16) })
      .catch(() => undefined);
    const before = await desk.rows();
    expect(before.length).toBeGreaterThan(10);
    expect(before.join("\n")).not.toContain("s3cr3t");
    await desk.sealer().seal(desk.namespace);
    const after = await desk.events();
    expect(after.every(({ number }) => number !== undefined)).toBe(true);
    expect(JSON.stringify(after)).not.toContain("s3cr3t");
  });

  it("refuses a call whose row cannot be written, and nothing of it is done", async () => {
    const desk = await open();
    const [alice, bob] = [await desk.begin("alice"), await desk.begin("bob")];
    await alice.send("bob", "waits");
    await alice.send("queue:work", "a job");
    await alice.send("topic:news.today", "waits");
    await desk.house.rooms.topics.subscribeTopic(bob.caller, { topic: "news.*" });
    const { message_id: job } = (await bob.read({ mailbox: "queue:work" })).messages.map(({ id }) => ({
      message_id: id,
    }))[0]!;
    const command = desk.house.store.command.bind(desk.house.store);
    const boss = await desk.begin("boss", ["admin"]);
    const approver = (await desk.begin("carol", ["approver"])).caller;
    await desk.house.tokens.setRoles(operator(desk.house.config), "carol", ["approver"]);
    await call(bob, "put_state", { key: "plan/a", value: "1" });
    const { lock_id: lease } = (await call(bob, "acquire_lock", { resources: ["held"] })) as {
      lock_id: string;
    };
    const { policy, approvals, locks } = desk.house.rooms;
    const { reservation_id: reserved } = await policy.checkPolicy(bob.caller, {
      action: "file.read",
      reserve: 1,
    });
    const asked = await openApproval(desk.house.approvals, alice.caller, {
      ...{ action: "file.delete", resource: "x", arguments: {}, context: {}, rules: ["r"], reasons: [] },
      ...{ why: "", risk: "" },
      terms: { expiresMs: 60_000, otherwise: "deny", quorum: 1, byClient: false, approvers: ["carol"] },
    });
    const { token: link } = await linkApproval(
      desk.house.approvals,
      operator(desk.house.config),
      asked.id,
      "carol",
    );
    const slots = [
      "mb:alice",
      "mb:bob",
      "mb:boss",
      "mb:carol",
      "mb:queue:work",
      "tp:news",
      "dir",
      "lk",
      "st:plan",
      "po",
      "ap",
    ];
    const spoilt = slots.map((slot) => `{${desk.namespace}:${slot}}:audit`);
    for (const key of spoilt) {
      await command("RENAME", key, `${key}-kept`).catch(() => undefined);
      await command("SET", key, "not a list");
    }
    const image = async (): Promise<string> => {
      const found: Record<string, unknown> = {};
      for (const agent of ["alice", "bob", "queue:work"])
        for (const kind of ["messages", "deliveries", "outbox", "sent-to", "blocked"]) {
          const key = `{${desk.namespace}:mb:${agent}}:${kind}`;
          found[key] = kind === "blocked" ? await command("SMEMBERS", key) : await command("HGETALL", key);
        }
      found.topic = await command("HGETALL", `{${desk.namespace}:tp:news}:messages`);
      found.state = await command("HGETALL", `{${desk.namespace}:st:plan}:values`);
      for (const key of [lockKeys(desk.namespace).requests, approvalKeys(desk.namespace).requests])
        found[key] = await command("HGETALL", key);
      found.follows = await command("HGETALL", `{${desk.namespace}:dir}:follows:alice`);
      found.agents = ((await command("HVALS", `{${desk.namespace}:dir}:agents`)) as string[]).map(
        (text) => text.split("|")[2],
      );
      return JSON.stringify(found);
    };
    const before = await image();
    const calls: Record<string, () => Promise<unknown>> = {
      send: () => alice.send("bob", "never"),
      "send to several": () => alice.send(["bob", "queue:work"], "never"),
      publish: () => alice.send("topic:news.today", "never"),
      read: () => alice.read(),
      "read a queue": () => bob.read({ mailbox: "queue:work" }),
      peek: () => bob.read({ peek: true }),
      ack: () => bob.ack(job, "done"),
      search: () => call(bob, "search_messages", {}),
      subscribe: () => call(alice, "subscribe_topic", { topic: "other.*" }),
      find: () => call(bob, "find_recipients", {}),
      status: () => call(bob, "my_status", {}),
      describe: () => call(bob, "my_status", { describe: "never" }),
      lock: () => call(bob, "acquire_lock", { resources: ["never"] }),
      renew: () => call(bob, "acquire_lock", { lock_id: lease, lease_seconds: 3_600 }),
      release: () => call(bob, "release_lock", { lock_id: lease }),
      "list locks": () => call(bob, "list_locks", {}),
      "guard files": () => locks.guardFiles(bob.caller.principal, { files: ["never"] }),
      "take files": () =>
        locks.guardFiles(bob.caller.principal, {
          files: ["never"],
          take: { session: "s", lease_seconds: 60 },
        }),
      "end a turn": () => locks.guardStop(bob.caller.principal, "s"),
      "get state": () => call(bob, "get_state", { key: "plan/a" }),
      "list state": () => call(bob, "get_state", { prefix: "" }),
      "put state": () => call(bob, "put_state", { key: "plan/a", value: "2" }),
      "delete state": () => call(bob, "put_state", { key: "plan/a", delete: true }),
      "check a step": () => call(bob, "check_policy", { action: "file.read", resource: "a" }),
      "wait for approval": () => call(alice, "check_policy", { approval_id: asked.id }),
      settle: () => call(bob, "settle_reservation", { reservation_id: reserved, cost: 1 }),
      "a hook": () =>
        policy.hook(
          bob.caller.principal,
          { tool: "Bash", input: { command: "ls" }, asksUser: true, folder: "" },
          {},
        ),
      "list approvals": () => approvals.listApprovals(approver),
      "get an approval": () => approvals.getApproval(approver, asked.id),
      decide: () => approvals.decideApproval(approver, { approval_id: asked.id, decision: "approve" }),
      "open a link": () => desk.house.rooms.approvalLinks.see(link),
      "decide by a link": () => desk.house.rooms.approvalLinks.decide(link, { decision: "approve" }),
      "dead letters": () => call(boss, "manage_dead_letters", { action: "list" }),
      ...Object.fromEntries(
        resourceList.map(({ uri }) => [
          `watch ${uri}`,
          () => desk.house.rooms.watch(bob.caller, watchTarget(uri)!, () => undefined),
        ]),
      ),
      ...Object.fromEntries(
        [
          ...resourceList.map(({ uri }) => uri),
          "mailbox://topics/news.today",
          "mailbox://state/plan/a",
          `mailbox://threads/${job}`,
        ].map((uri) => [
          `read ${uri}`,
          () => readResource(desk.house.rooms, bob.caller, parseResource(uri)!),
        ]),
      ),
    };
    for (const [name, make] of Object.entries(calls)) {
      await expect(make(), name).rejects.toThrow();
      expect(await image(), name).toBe(before);
    }
  });
});

describe("the audit on a redis-server", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore("redis-server");
  });
  afterAll(() => store.stop());

  it("refuses a send when the store is full, and stores neither the message nor its row", async () => {
    const desk = await AuditDesk.open(store.url);
    const [alice, bob] = [await desk.begin("alice"), await desk.begin("bob")];
    await alice.send("bob", "before");
    const redis = new Redis({ path: store.url.slice("unix://".length) });
    await redis.config("SET", "maxmemory-policy", "noeviction");
    await redis.config("SET", "maxmemory", "1");
    try {
      await expect(alice.send("bob", "never")).rejects.toThrow(/^store\.full/);
    } finally {
      await redis.config("SET", "maxmemory", "0");
      redis.disconnect();
    }
    expect((await bob.read()).messages.map(({ body }) => body)).toEqual(["before"]);
    expect((await desk.events()).filter(({ resource }) => resource === "bob").map(told)).toEqual([
      "alice mailbox.send bob allow role agent",
      "alice mailbox.send bob refuse store.full",
      "bob mailbox.read bob allow role agent",
    ]);
    await desk.close();
  });
});

describe.each(["embedded", "redis-server"] as const)("under repetitions on the %s engine", (name) => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore(name);
  });
  afterAll(() => store.stop());

  it("each decision has one row, whatever is cut, repeated by us or replayed by the caller", async () => {
    const proxy = await StoreProxy.before(store.url);
    const desk = await AuditDesk.open(proxy.url);
    const [alice, bob] = [await desk.begin("alice"), await desk.begin("bob")];
    await desk.house.rooms.topics.subscribeTopic(bob.caller, { topic: "news.*" });
    const kinds: readonly ((n: number) => Promise<unknown>)[] = [
      (n) => alice.send("bob", `to one ${n}`, { idempotency_key: `k${n}` }),
      (n) => alice.send(["bob", "queue:work"], `to two ${n}`, { idempotency_key: `k${n}` }),
      (n) => alice.send("topic:news.today", `news ${n}`, { idempotency_key: `k${n}` }),
      () => bob.read(),
      () => bob.read({ mailbox: "queue:none" }),
      () => bob.read({ peek: true }),
      (n) => desk.house.rooms.agents.myStatus(bob.caller, { describe: `${n}` }),
    ];
    let at = 42;
    const random = (most: number): number => {
      at = (at * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((at / 2_147_483_648) * most);
    };
    const rowsOf = [1, 2, 1, 1, 1, 1, 1];
    let expected = (await desk.events()).length;
    let cuts = 0;
    for (let n = 0; n < 50; n++) {
      const kind = random(kinds.length);
      void proxy.arm({ nth: 1 + random(4), when: random(2) === 0 ? "before" : "after" });
      await kinds[kind]!(n);
      cuts += proxy.hasCut ? 1 : 0;
      proxy.heal();
      // A caller that repeats its send with the same key gets the first answer, and no second row.
      if (kind < 3) for (let again = random(3); again > 0; again--) await kinds[kind]!(n);
      expected += rowsOf[kind]!;
    }
    expect(cuts).toBeGreaterThan(10);
    const events = await desk.events();
    expect(events.length).toBe(expected);
    expect(new Set(events.map(({ id }) => id)).size).toBe(expected);
    await desk.close();
    await proxy.close();
  });
});

describe("a row", () => {
  it("is a line of JSON whose keys are letters, and what is none is not taken for one", () => {
    expect(parseAuditRow('{"d":"perhaps"}')).toBeUndefined();
    expect(parseAuditRow("null")).toBeUndefined();
    expect(parseAuditRow("no json")).toBeUndefined();
    expect(parseAuditRow('{"i":"1","w":"a","d":"deny"}')).toMatchObject({
      id: "1",
      agent: "a",
      outcome: "deny",
    });
  });
});
