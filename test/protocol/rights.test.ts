import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type House, openHouse } from "../../src/compose.js";
import { readConfig } from "../../src/config/index.js";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { toolbox } from "../../src/mcp/toolbox.js";
import { openLog } from "../../src/observability/index.js";
import { changeGrants } from "../agents/change-grants.js";
import { noLog } from "../mcp/support.js";
import { startStore, type TestStore } from "../stores/index.js";
import { connectHttp, connectStdio, type Era, eras, type TestClient } from "./clients.js";

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const ordinary = toolbox
  .map(({ name }) => name)
  .filter((name) => !["decide_approval", "manage_dead_letters"].includes(name));
const without = (...names: string[]): string[] => ordinary.filter((name) => !names.includes(name));

describe("what a client may use", () => {
  let store: TestStore;
  let house: House;
  let service: HttpService;
  const clients: TestClient[] = [];

  beforeAll(async () => {
    store = await startStore("embedded");
    house = await openHouse(
      readConfig({ REDIS_URL: store.url, LLM_MAILBOX_ALLOW_UNVERIFIED: "1" }),
      openLog("error"),
    );
    service = await serveHttp(house.rooms, { namespace: "default", version: "0", log: noLog, port: 0 });
    await changeGrants(
      house.access,
      "default",
      // As an observer may: read topics and its own mail, send nothing.
      ["deny", "olga", "mailbox.send", "*"],
      ["deny", "olga", "publish", "topic:**"],
      ["allow", "keeper", "admin.dead-letters", "queue:builds"],
      ["deny", "blind", "read", "blind"],
      ["deny", "blind", "read", "queue:*"],
      ["deny", "blind", "follow", "topic:**"],
    );
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  afterAll(async () => {
    await service?.close();
    await house?.close();
    await store?.stop();
  });

  const ways: readonly (readonly [string, (era: Era, agent: string) => Promise<TestClient>])[] = [
    ["HTTP", (era, agent) => connectHttp(era, `${service.url}/mcp?agent=${agent}`)],
    [
      "stdio",
      (era, agent) =>
        connectStdio(era, {
          command: process.execPath,
          args: [main, "stdio", "--agent", agent],
          env: {
            PATH: process.env.PATH!,
            HOME: process.env.HOME!,
            REDIS_URL: store.url,
            LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
          },
        }),
    ],
  ];

  describe.each(ways)("over %s", (_, connect) => {
    it.each(eras)("is listed, and what it may not use is refused all the same (%s)", async (era) => {
      const client = async (agent: string): Promise<TestClient> => {
        const connected = await connect(era, agent);
        clients.push(connected);
        return connected;
      };
      const listed = async ({ raw }: TestClient): Promise<string[]> =>
        (await raw.listTools()).tools.map(({ name }) => name);

      const anybody = await client("anybody");
      expect(await listed(anybody)).toEqual(ordinary);
      expect((await anybody.call("manage_dead_letters", { action: "list" })).text).toMatch(
        /^access\.denied: anybody may not admin\.dead-letters \*/,
      );

      const olga = await client("olga");
      expect(await listed(olga)).toEqual(without("send_message"));
      const refused = await olga.call("send_message", { to: ["anybody"], body: "x" });
      expect(refused.isError).toBe(true);
      expect(refused.text).toMatch(/^access\.denied: olga may not mailbox\.send anybody/);

      const keeper = await client("keeper");
      expect(await listed(keeper)).toEqual([...ordinary, "manage_dead_letters"]);
      expect(
        (await keeper.call("manage_dead_letters", { action: "list", mailbox: "queue:builds" })).text,
      ).toBe("no dead letters");

      const blind = await client("blind");
      expect(await listed(blind)).toEqual(
        without("read_inbox", "ack_messages", "search_messages", "subscribe_topic"),
      );
      await expect(blind.read("mailbox://inbox")).rejects.toThrow(/access\.denied/);
    });
  });

  it.each(eras)("is listed as long as it has what it may give back, and not beyond (%s)", async (era) => {
    const [holder, idle] = ["holder", "idle"].map((name) => `${name}-${era}`) as [string, string];
    const client = async (agent: string): Promise<TestClient> => {
      const connected = await connectHttp(era, `${service.url}/mcp?agent=${agent}`);
      clients.push(connected);
      return connected;
    };
    const listed = async ({ raw }: TestClient): Promise<string[]> =>
      (await raw.listTools()).tools.map(({ name }) => name).filter((name) => name.includes("lock"));
    const [first, none] = [await client(holder), await client(idle)];
    const { text } = await first.call("acquire_lock", { resources: [`x-${era}`] });
    expect(await listed(first)).toEqual(["acquire_lock", "release_lock", "list_locks"]);
    await changeGrants(house.access, "default", ["deny", holder, "*", "*"], ["deny", idle, "*", "*"]);
    expect(await listed(first)).toEqual(["release_lock"]);
    // Another connection of the same agent may give it back too.
    expect(await listed(await client(holder))).toEqual(["release_lock"]);
    expect(await listed(none)).toEqual([]);
    const id = /lk-\w+/.exec(text)![0];
    expect((await none.call("release_lock", { lock_id: id })).text).toMatch(/^access\.denied/);
    expect((await first.call("release_lock", { lock_id: id })).text).toBe("released");
    expect(await listed(first)).toEqual([]);
  });

  it("is asked without beginning a run, and follows a change within a second", async () => {
    const client = await connectHttp("2025-11-25", `${service.url}/mcp?agent=newcomer`);
    clients.push(client);
    const listed = async (): Promise<number> => (await client.raw.listTools()).tools.length;
    expect(await listed()).toBe(ordinary.length);
    expect([...(await house.directory.agents("default")).keys()]).not.toContain("newcomer");
    await changeGrants(house.access, "default", ["deny", "newcomer", "mailbox.*", "*"]);
    expect(await listed()).toBe(ordinary.length - 2);
    const sent = await client.call("send_message", { to: ["anybody"], body: "x" });
    expect(sent.text).toMatch(/^access\.denied/);
    expect(sent.text).not.toContain("mail:");
  });

  it.each(eras)("is all that is told of a topic to whoever watches several (%s)", async (era) => {
    const client = await connectHttp(era, `${service.url}/mcp?agent=watcher-${era}`);
    clients.push(client);
    await changeGrants(house.access, "default", ["deny", `watcher-${era}`, "follow", "topic:plans.secret"]);
    const told: string[] = [];
    let heard = (): void => {};
    const openUri = "mailbox://topics/plans.open";
    const secretUri = "mailbox://topics/plans.secret";
    const listen = (uris: string[]) =>
      client.follow(uris, (uri) => {
        told.push(uri);
        heard();
      });
    // In the older revision each is subscribed by itself, in the newer all of them by one request.
    if (era === "2025-11-25") {
      await expect(listen([secretUri])).rejects.toThrow(/access\.denied/);
      await listen([openUri]);
    } else await listen([secretUri, openUri]);
    const anybody = await connectHttp(era, `${service.url}/mcp?agent=anybody`);
    clients.push(anybody);
    while (!told.includes(openUri)) {
      await anybody.call("send_message", { to: ["topic:plans.secret"], body: "hidden", again: true });
      const next = new Promise<void>((resolve) => {
        heard = resolve;
        setTimeout(resolve, 1_000);
      });
      await anybody.call("send_message", { to: ["topic:plans.open"], body: "shown", again: true });
      await next;
    }
    expect(told).not.toContain(secretUri);
  });

  it.each(ways)(
    "of what it names to be watched is told back over %s as far as it may be read",
    async (name, connect) => {
      const agent = `chooser-${name.toLowerCase()}`;
      await changeGrants(house.access, "default", ["deny", agent, "follow", "topic:hush.**"]);
      const client = await connect("2026-07-28", agent);
      clients.push(client);
      if (!("listen" in client.raw)) throw new Error("not a modern client");
      const named = ["hush.a", "inbox", "hush", "loud"];
      const asked = named.map((one) => `mailbox://${one === "inbox" ? one : `topics/${one}`}`);
      const { honoredFilter } = await client.raw.listen({
        resourceSubscriptions: [...asked, "mailbox://nothing"],
      });
      expect(honoredFilter.resourceSubscriptions).toEqual(["mailbox://inbox", "mailbox://topics/loud"]);
    },
  );

  it("misses nothing that changes between the watch and its acknowledgement", async () => {
    const uri = "mailbox://topics/early";
    const { rooms } = house;
    const eager = {
      ...rooms,
      watch: async (...args: Parameters<typeof rooms.watch>) => {
        const stop = await rooms.watch(...args);
        args[2]();
        return stop;
      },
    };
    const other = await serveHttp(eager, { namespace: "default", version: "0", log: noLog, port: 0 });
    const client = await connectHttp("2026-07-28", `${other.url}/mcp?agent=early`);
    const told = new Promise<string>((resolve) => void client.follow([uri], resolve));
    expect(await told).toBe(uri);
    await client.close();
    await other.close();
  });
});
