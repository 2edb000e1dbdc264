import { afterEach, expect, it } from "vitest";
import { Server } from "../faults/crowd.js";
import { describeOnEachStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

describeOnEachStore.beside("an agent with two processes, of which one is killed,", (store) => {
  const servers: Server[] = [];
  const start = (namespace: string, agents: readonly string[]): Server[] =>
    agents.map((agent) => {
      const server = new Server("stdio", [agent], {
        PATH: process.env.PATH!,
        REDIS_URL: store().url,
        LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
        LLM_MAILBOX_NAMESPACE: namespace,
        LLM_MAILBOX_STRUCTURED: "1",
      });
      server.start();
      servers.push(server);
      return server;
    });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.kill()));
  });

  it("keeps the lock that the other one renewed", { timeout: 60_000 }, async () => {
    const [one, other, dan] = start(newNamespace(), ["zed", "zed", "dan"]) as [Server, Server, Server];
    const held = await one.call("zed", "acquire_lock", { resources: ["z"] });
    const renewed = await other.call("zed", "acquire_lock", { lock_id: held.lock_id, lease_seconds: 3_600 });
    expect(renewed).toMatchObject({ state: "renewed", token: held.token, resources: ["z"] });
    await one.call("zed", "acquire_lock", { resources: ["mark"] });
    const waiting = dan.call("dan", "acquire_lock", { resources: ["mark"], wait_seconds: 40 });
    await one.kill();
    // What the dead one had is given back, and with it would have gone what was renewed.
    expect(await waiting).toMatchObject({ state: "granted", resources: ["mark"] });
    expect(await dan.call("dan", "acquire_lock", { resources: ["z"] })).toMatchObject({
      state: "queued",
      holders: [{ agent: "zed", state: "held", until: expect.stringMatching(/Z$/) }],
    });
    expect(await other.call("zed", "acquire_lock", { resources: ["z"] })).toMatchObject({
      state: "already_held",
      token: held.token,
    });
  });

  it("keeps the place whose ticket the other one called with", { timeout: 60_000 }, async () => {
    const [one, other, dan, eve] = start(newNamespace(), ["zed", "zed", "dan", "eve"]) as [
      ...[Server, Server, Server, Server],
    ];
    const held = await dan.call("dan", "acquire_lock", { resources: ["z"] });
    const { ticket } = await one.call("zed", "acquire_lock", { resources: ["z"] });
    await eve.call("eve", "acquire_lock", { resources: ["z"] });
    await one.call("zed", "acquire_lock", { resources: ["mark"] });
    expect(await other.call("zed", "acquire_lock", { ticket })).toMatchObject({ state: "queued", place: 1 });
    const waiting = dan.call("dan", "acquire_lock", { resources: ["mark"], wait_seconds: 40 });
    await one.kill();
    expect(await waiting).toMatchObject({ state: "granted" });
    const taking = other.call("zed", "acquire_lock", { ticket, wait_seconds: 40 });
    expect(await dan.call("dan", "release_lock", { lock_id: held.lock_id })).toMatchObject({ next: ["zed"] });
    expect(await taking).toMatchObject({ state: "granted", lock_id: ticket });
  });
});
