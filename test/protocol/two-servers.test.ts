import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { openFaultHouse } from "../faults/fault-house.js";
import { ask, modernCall, textIn } from "../http/raw-http.js";
import { noLog } from "../mcp/support.js";
import { describeOnEachStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { connectHttp, connectSse, type TestClient } from "./clients.js";

const ways = ["2025-11-25", "2026-07-28", "2024-11-05 (HTTP+SSE)"] as const;
type Way = (typeof ways)[number];

describeOnEachStore("two servers on one store", (store) => {
  const houses: House[] = [];
  const services: HttpService[] = [];
  const clients: TestClient[] = [];
  beforeAll(async () => {
    const namespace = newNamespace();
    for (let n = 0; n < 2; n++) {
      const house = await openFaultHouse(store().url, namespace);
      houses.push(house);
      services.push(await serveHttp(house.rooms, { namespace, version: "0", log: noLog, port: 0 }));
    }
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await Promise.all(services.map((service) => service.close()));
    await Promise.all(houses.map((house) => house.close()));
  });

  async function connect(server: 0 | 1, agent: string, way: Way): Promise<TestClient> {
    const { url } = services[server]!;
    const client =
      way === "2025-11-25" || way === "2026-07-28"
        ? await connectHttp(way, `${url}/mcp?agent=${agent}`)
        : await connectSse(`${url}/sse?agent=${agent}`);
    clients.push(client);
    return client;
  }

  describe.each(ways)("to a client that speaks %s", (way) => {
    const name = `reader-${ways.indexOf(way)}-${Math.random().toString(36).slice(2, 10)}`;

    it("announce on one what is sent on the other, to its mailbox and to topics", async () => {
      const topic = `${name}.news`;
      const [writer, reader] = [
        await connect(0, `writer-for-${name}`, "2026-07-28"),
        await connect(1, name, way),
      ];
      await writer.call("send_message", { to: `topic:${topic}`, body: "first", create: true });
      const heard = new Set<string>();
      let wake: () => void = () => undefined;
      const both = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const stop = await reader.follow(["mailbox://inbox", `mailbox://topics/${topic}`], (uri) => {
        heard.add(uri);
        if (heard.size === 2) wake();
      });
      await writer.call("send_message", { to: name, body: "to you" });
      await writer.call("send_message", { to: `topic:${topic}`, body: "to all" });
      await both;
      await stop();
      expect((await reader.call("read_inbox")).text).toContain("to you");
    });

    it("wake on one who waits there for what is sent on the other", async () => {
      const [writer, reader] = [
        await connect(0, `waker-of-${name}`, "2025-11-25"),
        await connect(1, name, way),
      ];
      await reader.call("my_status");
      const waiting = reader.call("read_inbox", { wait_seconds: 30 });
      await writer.call("send_message", { to: name, body: "across" });
      expect((await waiting).text).toContain("across");
    });
  });

  it("settle on one what was read on the other, for a client that each request takes to another of them", async () => {
    const name = `roamer-${Math.random().toString(36).slice(2, 10)}`;
    let id = 1;
    const call = async (server: 0 | 1, agent: string, tool: string, input: object = {}): Promise<string> => {
      const at = `${services[server]!.url}/mcp?agent=${agent}`;
      return textIn((await ask(at, modernCall(id++, tool, input))).body);
    };
    await call(0, `writer-to-${name}`, "send_message", { to: [name], body: "one" });
    const [, batch] = (await call(0, name, "read_inbox")).match(/batch (\S+): pass it as after/)!;
    await call(0, `writer-to-${name}`, "send_message", { to: [name], body: "two" });
    const next = await call(1, name, "read_inbox", { after: batch });
    expect(next).toContain("two");
    expect(next).not.toContain("one\n");
    const sent = await call(1, `writer-to-${name}`, "search_messages", { sent: true });
    expect(sent).toMatch(new RegExp(`^2\\. .*${name} settled$`, "m"));
  });
});
