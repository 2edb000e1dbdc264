import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { memoryRooms, type World } from "../mcp/memory-rooms.js";
import { noLog } from "../mcp/support.js";
import {
  ask,
  EventStream,
  modernCall,
  modernListen,
  openSession,
  SseClient,
  textIn,
  toolCall,
} from "./raw-http.js";

describe("a principal whose right to be here has ended", () => {
  let world: World;
  let service: HttpService;
  beforeAll(async () => {
    world = memoryRooms();
    service = await serveHttp(world, { namespace: "default", version: "0", log: noLog, port: 0 });
  });
  afterAll(() => service.close());

  async function openAll(agent: string) {
    const at = `${service.url}/mcp?agent=${agent}`;
    const session = await openSession(at);
    const listening = await EventStream.open(at, { headers: { ...session, accept: "text/event-stream" } });
    const subscription = await EventStream.open(at, modernListen("l", ["mailbox://inbox"]));
    await subscription.until(/acknowledged/);
    const sse = await SseClient.open(service.url, agent);
    const wait = { wait_seconds: 50 };
    const held = [
      ask(at, { headers: session, body: toolCall(1, "read_inbox", wait) }),
      ask(at, modernCall(2, "read_inbox", wait)),
    ].map((answer) =>
      answer.then(
        ({ body }) => body,
        () => "cut",
      ),
    );
    await sse.post(toolCall(3, "read_inbox", wait));
    return { at, session, streams: [listening, subscription, sse.stream], sse, held };
  }

  it("has every session, stream, run and waiting call closed from outside, and nobody else has", async () => {
    const gone = await openAll("gone");
    const stays = await openAll("stays");
    await world.until(() => world.waiting() === 6);
    const watchers = world.watchers();
    // Those who listen are seen to be here: of each, the session's stream and the subscription's.
    expect(world.seen()).toBe(4);
    service.endOwner("gone");
    await Promise.all(gone.streams.map((stream) => stream.over));
    for (const body of await Promise.all(gone.held)) expect(body).not.toContain('"result"');
    expect(world.waiting()).toBe(3);
    expect(world.watchers()).toBeLessThan(watchers);
    await world.until(() => world.seen() === 2);
    await world.until(() => world.ended.filter((one) => one.principal.agent === "gone").length === 3);
    expect((await ask(gone.at, { headers: gone.session, body: toolCall(9, "my_status") })).status).toBe(404);
    expect((await gone.sse.post(toolCall(9, "my_status"))).status).toBe(404);

    expect(world.ended.filter((one) => one.principal.agent === "stays")).toEqual([]);
    const status = await ask(stays.at, { headers: stays.session, body: toolCall(9, "my_status") });
    expect(textIn(status.body)).toContain("you are stays");
    for (const stream of stays.streams) expect(stream.response.closed).toBe(false);
    world.change("inbox", "stays");
    await stays.streams[1]!.until(/resources\/updated/);
  });

  it("may come back where it is let in again, and finds what it had not read", async () => {
    world.put("back", { body: "still here" });
    const { streams } = await openAll("back").catch((error: unknown) => {
      throw error;
    });
    service.endOwner("back");
    await Promise.all(streams.map((stream) => stream.over));
    world.put("back", { body: "and this" });
    const again = await ask(`${service.url}/mcp?agent=back`, modernCall(1, "read_inbox"));
    expect(textIn(again.body)).toContain("and this");
  });

  it("ends without anything when it has nothing here", () => {
    expect(() => service.endOwner("never-was")).not.toThrow();
  });
});

describe("a stream of updates", () => {
  it("is told of many changes of one URI by few updates, and of the last one in any case", async () => {
    const world = memoryRooms();
    const service = await serveHttp(world, { namespace: "default", version: "0", log: noLog, port: 0 });
    const stream = await EventStream.open(
      `${service.url}/mcp?agent=calm`,
      modernListen("l", ["mailbox://inbox", "mailbox://agents"]),
    );
    await stream.until(/acknowledged/);
    await world.until(() => world.watchers() === 2);
    const from = Date.now();
    for (let n = 0; n < 1_000; n++) world.change("inbox", "calm");
    world.change("agents");
    await stream.until(/mailbox:\/\/agents/);
    await stream.until(/(updated[\s\S]*mailbox:\/\/inbox[\s\S]*){2}/);
    const updates = stream.text.match(/mailbox:\/\/inbox"/g)!.length;
    // One at once, and one for all the others a quarter of a second later; the acknowledgement names the URI too.
    expect(updates - 1).toBeLessThanOrEqual(2 + Math.floor((Date.now() - from) / 250));
    stream.cut();
    await world.until(() => world.watchers() === 0);
    await service.close();
  });
});
