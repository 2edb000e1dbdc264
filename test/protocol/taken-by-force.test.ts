import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type House, openHouse } from "../../src/compose.js";
import { readConfig } from "../../src/config/index.js";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { operatorPrincipal, type Role, type RunId } from "../../src/identity/index.js";
import { openLog } from "../../src/observability/index.js";
import { main } from "../cli/command-line.js";
import { noLog } from "../mcp/support.js";
import { startStore, type TestStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { connectHttp, connectStdio, eras, type TestClient } from "./clients.js";

describe.each(eras)("an admin of %s", (era) => {
  let store: TestStore;
  let house: House;
  let service: HttpService;
  const namespace = newNamespace();
  const clients: TestClient[] = [];
  beforeAll(async () => {
    store = await startStore("embedded");
    house = await openHouse(
      readConfig({ REDIS_URL: store.url, LLM_MAILBOX_NAMESPACE: namespace }),
      openLog("error"),
    );
    service = await serveHttp(house.rooms, { namespace, version: "0", log: noLog, port: 0 });
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await service?.close();
    await house?.close();
    await store?.stop();
  });
  const tokenOf = async (agent: string, role: Role): Promise<string> => {
    const operator = { principal: operatorPrincipal(namespace), run: { id: "operator/test" as RunId } };
    return (await house.tokens.issue(operator, agent, {}, [role])).token;
  };
  const over = {
    stdio: (token: string) =>
      connectStdio(era, {
        ...{ command: process.execPath, args: [main, "stdio"] },
        env: {
          PATH: process.env.PATH!,
          REDIS_URL: store.url,
          LLM_MAILBOX_NAMESPACE: namespace,
          LLM_MAILBOX_TOKEN: token,
        },
      }),
    HTTP: (token: string) =>
      connectHttp(era, `${service.url}/mcp`, undefined, { authorization: `Bearer ${token}` }),
  };
  const connect = async (way: keyof typeof over, agent: string, role: Role): Promise<TestClient> => {
    const client = await over[way](await tokenOf(agent, role));
    clients.push(client);
    return client;
  };
  const idIn = (text: string): string => /lk-[0-9a-z]{12}/.exec(text)![0];

  it.each(["stdio", "HTTP"] as const)("takes a lock by force over %s, and nobody else does", async (way) => {
    const [root, bob, eve] = [
      await connect(way, `root-${way.toLowerCase()}`, "admin"),
      await connect(way, `bob-${way.toLowerCase()}`, "agent"),
      await connect(way, `eve-${way.toLowerCase()}`, "agent"),
    ];
    await bob.call("acquire_lock", { resources: `${way}/a.ts` });
    const listed = await root.call("list_locks", { resource: `${way}/a.ts` });
    const lock_id = idIn(listed.text);
    const refused = await eve.call("release_lock", { lock_id, reason: "I want it" });
    expect(refused).toMatchObject({ isError: true, text: expect.stringMatching(/^access\.denied: /) });
    const why = 'it hangs\u202e since "noon"';
    expect((await root.call("release_lock", { lock_id, reason: why })).text).toBe(
      `taken from bob-${way.toLowerCase()}, which is told by whom and why`,
    );
    await vi.waitFor(async () =>
      expect((await bob.call("my_status")).text).toContain(
        `lock: ${lock_id} ("${way}/a.ts") is lost: root-${way.toLowerCase()} took it by force (they say: "it hangs\\u{202e} since \\"noon\\""); acquire it again before you change it`,
      ),
    );
    expect((await bob.call("my_status")).text).not.toContain("by force");
    expect((await root.call("release_lock", { lock_id, reason: why })).text).toBe(
      "nothing to release: there is nothing under this id that you may release, or no longer",
    );
  });
});
