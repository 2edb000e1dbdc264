import { once } from "node:events";
import { Agent, type IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type HttpLimits, type HttpService, serveHttp } from "../../src/http/index.js";
import { defaultHttpLimits } from "../../src/http/limits.js";
import { type Body, BodyReader } from "../../src/http/read-body.js";
import { newExchange } from "../../src/mcp/exchange.js";
import { type McpEndpoint, openEndpoint } from "../../src/mcp/http-endpoint.js";
import { Owners } from "../../src/mcp/http-owners.js";
import { mostArguments, mostLevels, mostMessages, mostValues, parseBody } from "../../src/mcp/parse-body.js";
import { memoryRooms, type World } from "../mcp/memory-rooms.js";
import { noLog } from "../mcp/support.js";
import {
  type Answer,
  type Asked,
  ask,
  EventStream,
  initialize,
  json,
  message,
  modernCall,
  modernListen,
  openSession,
  openSocket,
  SseClient,
  saidUntilClosed,
  textIn,
  toolCall,
} from "./raw-http.js";

let world: World;
let service: HttpService | undefined;

const logged: string[] = [];
const log = { ...noLog, warn: (_: object, text: string) => void logged.push(text) };

async function open(limits: Partial<HttpLimits>): Promise<string> {
  world = memoryRooms();
  service = await serveHttp(world, { namespace: "default", version: "0", log, port: 0, limits });
  return service.url;
}
afterEach(async () => {
  logged.length = 0;
  vi.useRealTimers();
  await service?.close();
  service = undefined;
});

const retry = ({ status, headers }: Answer): [number, unknown] => [status, headers["retry-after"]];

describe("/readyz", () => {
  it.each([
    ["127.0.0.1", { ready: true, tier: "D2", store: "redis://store.inside" }],
    ["0.0.0.0", { ready: true, tier: "D2" }],
  ])("of a server that listens on %s says %j", async (host, said) => {
    world = memoryRooms();
    service = await serveHttp(world, {
      ...{ namespace: "default", version: "0", log: noLog, port: 0, host, credentialsRequired: true },
      ready: async () => ({ ready: true, tier: "D2", store: "redis://store.inside" }),
    });
    const { body } = await ask(`http://127.0.0.1:${service.port}/readyz`);
    expect(JSON.parse(body)).toEqual(said);
  });
});

describe("what a request may have", () => {
  it("is so many headers, and not one more", async () => {
    const url = await open({ headers: 20 });
    const own = 3; // host, connection, and one that the client writes itself
    const headers = (count: number) =>
      Object.fromEntries(Array.from({ length: count - own }, (_, n) => [`x-${n}`, "1"]));
    const at = await ask(`${url}/healthz`, { headers: { ...headers(20), accept: "*/*" } });
    const past = await ask(`${url}/healthz`, { headers: { ...headers(21), accept: "*/*" } });
    expect([at.status, past.status]).toEqual([200, 431]);
  });

  it("is looked at whole: no header is dropped because there were many before it", async () => {
    const url = await open({ headers: 10_000, headerBytes: 200_000 });
    const many = Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`x-${n}`, "1"]));
    const answer = await ask(`${url}/healthz`, { headers: { ...many, origin: "https://example.org" } });
    expect(answer.status).toBe(403);
  });

  it("is so many bytes of headers, and not one more", async () => {
    const limit = 4_000;
    const url = await open({ headerBytes: limit });
    const fill = (bytes: number) => ask(`${url}/healthz`, { headers: { x: "y".repeat(bytes) } });
    // The parser counts what it keeps; where exactly it draws the line is found by halving.
    let fits = 0;
    let tooMuch = limit + 1;
    while (tooMuch - fits > 1) {
      const middle = (fits + tooMuch) >> 1;
      const { status } = await fill(middle);
      if (status === 200) fits = middle;
      else tooMuch = middle;
      expect([200, 431]).toContain(status);
    }
    expect(fits).toBeGreaterThan(limit - 300);
    expect(tooMuch).toBeLessThanOrEqual(limit);
  });

  it("is so much time for its headers and for its body, while others are served", async () => {
    const url = await open({ requestSeconds: 1 });
    const port = service!.port;
    const slowHead = await openSocket(port);
    slowHead.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow:");
    const drip = setInterval(() => slowHead.write("y"), 50);
    const slowBody = await openSocket(port);
    slowBody.write(
      "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{",
    );
    const dripBody = setInterval(() => slowBody.write(" "), 50);
    const ends = [slowHead, slowBody].map((socket) => saidUntilClosed(socket));
    expect((await ask(`${url}/healthz`)).status).toBe(200);
    const said = await Promise.all(ends);
    clearInterval(drip);
    clearInterval(dripBody);
    for (const one of said) expect(one).toMatch(/^HTTP\/1\.1 408 /);
    expect((await ask(`${url}/healthz`)).status).toBe(200);
  });

  it("is a body of so many bytes, and where more is announced nothing of it is read", async () => {
    await open({ bodyBytes: 1_000 });
    const socket = await openSocket(service!.port);
    const said = saidUntilClosed(socket);
    socket.write(
      "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n",
    );
    expect(await said).toMatch(/^HTTP\/1\.1 413 [\s\S]*larger than 1000 bytes/);
  });

  it.each([
    ["lists", (levels: number) => "[".repeat(levels) + "]".repeat(levels)],
    ["objects", (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`],
  ])("is so many levels of %s, and not one more", (_, nested) => {
    expect(parseBody(nested(mostLevels))).toHaveProperty("value");
    expect(parseBody(nested(mostLevels + 1))).toMatchObject({ problem: expect.stringContaining("deeper") });
    expect(parseBody(nested(300_000))).toMatchObject({ problem: expect.stringContaining("deeper") });
  });

  it("is so many messages, and not one more, whatever they are", () => {
    const list = (count: number) => `[${Array(count).fill('{"jsonrpc":"2.0","method":"a"}').join(",")}]`;
    expect(parseBody(list(mostMessages))).toHaveProperty("value");
    const problem = expect.stringContaining("more than 100 messages");
    expect(parseBody(list(mostMessages + 1))).toEqual({ code: -32600, problem });
    expect(parseBody(`[${"1,".repeat(mostMessages)}1]`)).toEqual({ code: -32600, problem });
    // The event of a hook is no message.
    expect(parseBody(list(mostMessages + 1), false)).toHaveProperty("value");
  });

  it("is so many arguments, and not one more; what one of them holds is for its tool to judge", () => {
    const call = (count: number) =>
      toolCall(1, "x", Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n])));
    expect(parseBody(call(mostArguments))).toHaveProperty("value");
    const problem = expect.stringContaining("more than 100 arguments");
    expect(parseBody(call(mostArguments + 1))).toEqual({ code: -32600, problem });
    expect(parseBody(`[${call(1)},${call(mostArguments + 1)}]`)).toEqual({ code: -32600, problem });
    const deep = toolCall(1, "x", { data: Array.from({ length: 3 * mostValues }, (_, n) => n) });
    expect(parseBody(deep)).toHaveProperty("value");
  });

  it("is so many values beside its arguments, and not one more, all messages together", () => {
    const fixed = 5; // the message, its version, id, method and params
    const notes = (count: number) =>
      message(1, "x", Object.fromEntries(Array.from({ length: count - fixed }, (_, n) => [`k${n}`, n])));
    expect(parseBody(notes(mostValues))).toHaveProperty("value");
    const problem = expect.stringContaining("more than 5000 values");
    expect(parseBody(notes(mostValues + 1))).toEqual({ code: -32600, problem });
    expect(parseBody(`[${notes(mostValues - 4)},${notes(fixed)}]`)).toEqual({ code: -32600, problem });
  });

  it("is as broad as that or be answered with an error of the protocol, whatever the transport", async () => {
    const url = await open({});
    const bomb = `[${Array(30_000).fill('{"jsonrpc":"2.0","method":"a"}').join(",")}]`;
    const session = await openSession(`${url}/mcp?agent=broad`);
    const sse = await SseClient.open(url, "broad");
    const answers = [
      await ask(`${url}/mcp?agent=broad`, { headers: session, body: bomb }),
      await ask(`${url}/mcp?agent=broad`, { ...modernCall(1, "my_status"), body: bomb }),
      await sse.post(bomb),
    ];
    for (const { status, body } of answers)
      expect([status, JSON.parse(body)]).toMatchObject([400, { jsonrpc: "2.0", error: { code: -32600 } }]);
    sse.stream.cut();
  });

  it("is nested so deep or be answered with an error of the protocol, whatever the transport", async () => {
    const url = await open({});
    const bomb = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`;
    const session = await openSession(`${url}/mcp?agent=deep`);
    const sse = await SseClient.open(url, "deep");
    const answers = [
      await ask(`${url}/mcp?agent=deep`, { headers: session, body: bomb }),
      await ask(`${url}/mcp?agent=deep`, { ...modernCall(1, "my_status"), body: bomb }),
      await sse.post(bomb),
    ];
    for (const { status, body } of answers)
      expect([status, JSON.parse(body)]).toMatchObject([400, { jsonrpc: "2.0", error: { code: -32600 } }]);
    const fits = { levels: JSON.parse("[".repeat(60) + "]".repeat(60)) as unknown };
    const call = toolCall(2, "send_message", { to: ["deep"], body: "x", data: fits });
    expect(textIn((await ask(`${url}/mcp?agent=deep`, { headers: session, body: call })).body)).toContain(
      "sent",
    );
    sse.stream.cut();
  });

  it("is only a host and a port where it names the host", async () => {
    const url = await open({});
    for (const host of ["evil@127.0.0.1", "127.0.0.1/x", "127.0.0.1#x", "127.0.0.1?x", "x:y@localhost"])
      expect([host, (await ask(`${url}/healthz`, { headers: { host } })).status]).toEqual([host, 403]);
  });

  it("names one host, not a second one behind a good one", async () => {
    const socket = await openSocket(Number(new URL(await open({})).port));
    socket.write(
      "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    );
    expect(await saidUntilClosed(socket)).toMatch(/^HTTP\/1\.1 400 .*more than one Host/s);
  });
});

describe("the bodies that are read at once", () => {
  it("take bounded memory together: one that would not fit is turned away", async () => {
    const reader = new BodyReader(32 * 1024 * 1024);
    const request = () => Object.assign(new PassThrough(), { headers: {} }) as PassThrough & IncomingMessage;
    const chunk = Buffer.alloc(32 * 1024 * 1024);
    const slow = Array.from({ length: 4 }, request);
    const reading = slow.map((one) => reader.read(one));
    for (const one of slow) {
      const arrived = once(one, "data");
      one.write(chunk); // 128 MiB are held in the end: the most
      await arrived;
    }
    const next = request();
    const refused = reader.read(next);
    next.write("x");
    expect(await refused).toEqual({ unread: "busy" });
    slow[0]!.destroy();
    expect(await reading[0]).toEqual({ unread: "gone" });
    const fits = request();
    const read = reader.read(fits);
    fits.end("{}");
    const { text, drop } = (await read) as Body;
    expect(text()).toBe("{}");
    drop();
  });

  it("take it until they are used, and not only until they have arrived", async () => {
    const reader = new BodyReader(32 * 1024 * 1024);
    const arrived = async (bytes: number): Promise<Body | object> => {
      const request = Object.assign(new PassThrough(), { headers: {} }) as PassThrough & IncomingMessage;
      const read = reader.read(request);
      request.end(Buffer.alloc(bytes, "x"));
      return read;
    };
    const whole = 32 * 1024 * 1024;
    const kept = (await Promise.all(Array.from({ length: 4 }, () => arrived(whole)))) as Body[];
    expect(await arrived(1)).toEqual({ unread: "busy" });
    expect(kept[0]!.text()).toHaveLength(whole);
    expect(await arrived(whole + 1)).toEqual({ unread: "too large" });
    const again = (await arrived(whole)) as Body;
    expect(await arrived(1)).toEqual({ unread: "busy" });
    // Nobody wants it any more; saying so twice gives back once.
    for (const one of [again, again, kept[0]!]) one.drop();
    expect(await arrived(whole)).toMatchObject({ text: expect.any(Function) });
    expect(await arrived(1)).toEqual({ unread: "busy" });
  });
});

describe("requests that a client sends without waiting for the answers before", () => {
  const posted = (agent: string, tool: string, input: object = {}): string => {
    const { headers, body } = modernCall(1, tool, input);
    const all = { ...headers, host: "localhost", "content-length": String(body!.length) };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    return `POST /mcp?agent=${agent} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
  };

  it("are answered in their order, one after the other, also where one waits", async () => {
    const socket = await openSocket(Number(new URL(await open({ callsInFlight: 1 })).port));
    let said = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
    });
    const from = performance.now();
    socket.write(posted("paul", "my_status") + posted("paul", "read_inbox", { wait_seconds: 1 }));
    socket.write(posted("paul", "find_recipients") + posted("paul", "my_status"));
    const statuses = (): string[] => [...said.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status!);
    await expect.poll(statuses, { timeout: 20_000 }).toEqual(Array(4).fill("200"));
    expect(performance.now() - from).toBeGreaterThanOrEqual(1_000);
    expect(said.match(/you are paul/g)).toHaveLength(2);
    socket.destroy();
  });

  it("hold nothing after their connection, whatever of them was not answered", async () => {
    await open({ callsInFlight: 16 });
    const socket = await openSocket(service!.port);
    socket.write(posted("percy", "read_inbox", { wait_seconds: 50 }).repeat(40));
    await new Promise((resolve) => setTimeout(resolve, 500));
    socket.destroy();
    const statuses = (): Promise<number[]> =>
      Promise.all(
        Array.from({ length: 16 }, async () => {
          const { status } = await ask(`${service!.url}/mcp?agent=percy`, modernCall(1, "my_status"));
          return status;
        }),
      );
    await expect.poll(statuses, { timeout: 10_000 }).toEqual(Array(16).fill(200));
  });

  it("are not begun when their connection ended before their turn", async () => {
    await open({ callsInFlight: 4, sessionsPerAgent: 4 });
    const stream = "accept: text/event-stream\r\n";
    for (const [path, headers] of [
      ["/approvals", ""],
      ["/sse", stream],
    ]) {
      const next = `GET ${path}?agent=pia HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`;
      for (let n = 0; n < 5; n++) {
        const socket = await openSocket(service!.port);
        socket.write(posted("pia", "read_inbox", { wait_seconds: 50 }) + next.repeat(2));
        await world.until(() => world.waiting() === 1);
        socket.destroy();
        await world.until(() => world.waiting() === 0);
      }
    }
    const calls = Array.from({ length: 4 }, () =>
      ask(`${service!.url}/mcp?agent=pia`, modernCall(1, "my_status")),
    );
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    (await EventStream.open(`${service!.url}/sse?agent=pia`)).cut();
  });

  it("are so many that wait on one connection; with one more it is cut", async () => {
    await open({ callsInFlight: 1_000 });
    const many = async (count: number): Promise<boolean> => {
      const socket = await openSocket(service!.port);
      let cut = false;
      socket.once("close", () => {
        cut = true;
      });
      socket.resume().write(posted("paula", "read_inbox", { wait_seconds: 50 }).repeat(count));
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const wasCut = cut;
      socket.destroy();
      return wasCut;
    };
    expect(await many(100)).toBe(false);
    expect(logged).toEqual([]);
    expect(await many(130)).toBe(true);
    // However many came with it.
    expect(logged).toEqual(["a client sent many requests without waiting for an answer; cut"]);
  });
});

describe("what comes at once from many clients", () => {
  const work = (ms: number): void => {
    const until = performance.now() + ms;
    while (performance.now() < until);
  };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const endpointOf = (rooms: World): McpEndpoint =>
    openEndpoint(rooms, { namespace: "default", version: "0", log: noLog });
  const exchangeOf = () => {
    const exchange = newExchange(new AbortController().signal);
    return { ...exchange, stalled: () => false, onTaken: () => undefined, cut: () => undefined };
  };
  const requestOf = (agent: string, { headers, body }: Asked): Request =>
    new Request(`http://127.0.0.1/mcp?agent=${agent}`, {
      method: "POST",
      headers: headers as Record<string, string>,
      body: body!,
    });

  it("is the end of their streams: others have their turn in between", async () => {
    const rooms = memoryRooms();
    let ended = 0;
    rooms.watch = async () => () => {
      work(5);
      ended += 1;
    };
    const endpoint = endpointOf(rooms);
    const exchanges = Array.from({ length: 40 }, exchangeOf);
    for (const [n, exchange] of exchanges.entries()) {
      const listen = modernListen(`l${n}`, ["mailbox://inbox"]);
      const { status } = await endpoint.fetch(requestOf(`left${n % 8}`, listen), exchange);
      expect(status).toBe(200);
    }
    for (const exchange of exchanges) exchange.settle(false);
    const perTurn = [ended];
    for (let before = ended; ended < 40; before = ended) {
      await turn();
      perTurn.push(ended - before);
    }
    // 10 ms of a turn, and the one that was begun last.
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(4);
    await endpoint.close();
  });

  it("is what they post: others have their turn in between", async () => {
    const endpoint = endpointOf(memoryRooms());
    const call = modernCall(1, "my_status");
    let read = 0;
    const answers = Array.from({ length: 40 }, (_, n) =>
      endpoint.fetch(requestOf(`many${n}`, call), exchangeOf(), () => {
        work(5);
        read += 1;
        return call.body!;
      }),
    );
    const perTurn = [read];
    for (let before = read; read < 40; before = read) {
      await turn();
      perTurn.push(read - before);
    }
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(4);
    for (const answer of answers) expect((await answer).status).toBe(200);
    await endpoint.close();
  });
});

describe("what may be open at once", () => {
  it("is so many connections; one more is closed, and one that ends makes room", async () => {
    await open({ connections: 3 });
    const sockets = [];
    for (let n = 0; n < 3; n++) sockets.push(await openSocket(service!.port));
    const more = await openSocket(service!.port);
    expect(await saidUntilClosed(more)).toBe("");
    sockets[0]!.destroy();
    await expect
      .poll(() =>
        ask(`${service!.url}/healthz`).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200);
    for (const socket of sockets) socket.destroy();
  });

  it("is so many sessions of one agent, of whatever kind, and others are not touched by it", async () => {
    const url = await open({ sessionsPerAgent: 3 });
    const first = await openSession(`${url}/mcp?agent=many`);
    const sse = await SseClient.open(url, "many");
    expect((await ask(`${url}/mcp?agent=many`, modernCall(1, "my_status"))).status).toBe(200);
    const more = [
      await ask(`${url}/mcp?agent=many`, { headers: json, body: initialize() }),
      await ask(`${url}/sse?agent=many`, { headers: { accept: "text/event-stream" } }),
    ];
    for (const answer of more) expect(retry(answer)).toEqual([429, "1"]);
    expect((await ask(`${url}/mcp?agent=other`, { headers: json, body: initialize() })).status).toBe(200);
    await ask(`${url}/mcp?agent=many`, { method: "DELETE", headers: first });
    expect((await ask(`${url}/mcp?agent=many`, { headers: json, body: initialize() })).status).toBe(200);
    sse.stream.cut();
    await expect
      .poll(async () => (await ask(`${url}/mcp?agent=many`, { headers: json, body: initialize() })).status)
      .toBe(200);
  });

  it("is so many sessions in all, agents that call without one included", async () => {
    const url = await open({ sessions: 3 });
    await openSession(`${url}/mcp?agent=a`);
    const sse = await SseClient.open(url, "b");
    expect((await ask(`${url}/mcp?agent=c`, modernCall(1, "my_status"))).status).toBe(200);
    const more = [
      await ask(`${url}/mcp?agent=d`, { headers: json, body: initialize() }),
      await ask(`${url}/sse?agent=d`, { headers: { accept: "text/event-stream" } }),
      await ask(`${url}/mcp?agent=d`, modernCall(1, "my_status")),
    ];
    for (const answer of more) expect(retry(answer)).toEqual([503, "1"]);
    expect((await ask(`${url}/mcp?agent=c`, modernCall(2, "my_status"))).status).toBe(200);
    sse.stream.cut();
    await expect
      .poll(async () => (await ask(`${url}/mcp?agent=d`, modernCall(1, "my_status"))).status)
      .toBe(200);
  });

  it("is so many streams of one agent: the limit is a setting", async () => {
    const url = await open({ streamsPerAgent: 2 });
    const listen = () => EventStream.open(`${url}/mcp?agent=s`, modernListen("l", ["mailbox://inbox"]));
    const streams = [await listen(), await listen()];
    expect(retry(await ask(`${url}/mcp?agent=s`, modernListen("l", ["mailbox://inbox"])))).toEqual([
      429,
      "1",
    ]);
    for (const stream of streams) stream.cut();
  });
});

describe("the calls in flight of one agent", () => {
  /** Ways in: each is a call that waits. */
  const ways = async (url: string, agent: string): Promise<(() => Promise<Answer>)[]> => {
    const [one, other] = [
      await openSession(`${url}/mcp?agent=${agent}`),
      await openSession(`${url}/mcp?agent=${agent}`),
    ];
    const sse = await SseClient.open(url, agent);
    let id = 100;
    const wait = () => toolCall(id++, "read_inbox", { wait_seconds: 50 });
    const forged = { "x-forwarded-for": "10.9.8.7", forwarded: "for=10.9.8.7", "x-real-ip": "10.9.8.7" };
    return [
      () => ask(`${url}/mcp?agent=${agent}`, { headers: one, body: wait() }),
      () =>
        ask(`${url}/mcp?agent=${agent}`, {
          headers: { ...other, ...forged },
          body: wait(),
          agent: new Agent(),
        }),
      () => ask(`${url}/mcp?agent=${agent}`, modernCall(id++, "read_inbox", { wait_seconds: 50 })),
      () =>
        ask(
          `${url}/mcp?agent=${agent.toUpperCase()}&structured=1`,
          modernCall(id++, "read_inbox", { wait_seconds: 50 }),
        ),
      () => sse.post(wait()),
    ];
  };

  it("are so many, by whatever session, transport, header or connection they come", async () => {
    const url = await open({ callsInFlight: 5 });
    const all = await ways(url, "busy");
    const held = all.map((way) => way());
    await world.until(() => world.waiting() === 5);
    for (const way of all) expect(retry(await way())).toEqual([429, "1"]);
    expect(textIn((await ask(`${url}/mcp?agent=idle`, modernCall(1, "my_status"))).body)).toContain("idle");
    world.put("busy", { body: "one of them is answered" });
    await Promise.race(held.slice(0, 4));
    await expect
      .poll(async () => (await ask(`${url}/mcp?agent=busy`, modernCall(1, "my_status"))).status)
      .toBe(200);
    await service!.close();
    await Promise.allSettled(held);
  });

  it("count each request of a batch, and a notification never, so that a call can always be cancelled", async () => {
    const url = await open({ callsInFlight: 3 });
    const session = await openSession(`${url}/mcp?agent=batch`);
    const batch = (from: number, count: number) =>
      `[${Array.from({ length: count }, (_, n) => toolCall(from + n, "read_inbox", { wait_seconds: 50 })).join(",")}]`;
    const post = (body: string) => ask(`${url}/mcp?agent=batch`, { headers: session, body });
    expect((await post(batch(1, 4))).status).toBe(429);
    const held = post(batch(1, 3));
    await world.until(() => world.waiting() === 3);
    expect((await post(toolCall(9, "my_status"))).status).toBe(429);
    const cancel = message(undefined, "notifications/cancelled", { requestId: 1 });
    expect((await post(cancel)).status).toBe(202);
    await held;
    expect((await post(toolCall(9, "my_status"))).status).toBe(200);
  });
});

describe("the requests of one agent", () => {
  it("are so many in a minute, whatever is in them, by whatever transport or path they come", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 60_000 });
    const url = await open({ requestsPerMinute: 19 });
    const session = await openSession(`${url}/mcp?agent=busy`); // the first, and three with the stream
    const sse = await SseClient.open(url, "busy");
    const at = (path: string, headers: Record<string, string>, body: string) =>
      ask(url + path, { headers, body });
    const note = message(undefined, "notifications/x");
    const ways = [
      () => at("/mcp?agent=busy", session, note),
      () => at("/mcp?agent=BUSY", session, `[${note},${note}]`),
      () => at("/mcp?agent=busy", session, "not JSON"),
      () => at("/mcp?agent=busy", modernCall(1, "x").headers as Record<string, string>, "[]"),
      () => at("/mcp?agent=busy&structured=1", session, message(7, "ping")),
      () => at("/policy/hook?agent=busy", json, "{}"),
      () => at("/locks/guard?agent=busy", json, "{}"),
      () => at("/approvals/x?agent=busy", json, "{}"),
      () => at(`/mcp?agent=busy`, { "content-type": "text/plain" }, "x"),
      () => sse.post(note),
      () => sse.post("{}"),
      () => ask(`${url}/approvals?agent=busy`),
      () => ask(`${url}/approvals/ap-000000000000?agent=busy`),
      () => ask(`${url}/mcp?agent=busy`, { headers: { ...session, "mcp-session-id": "x" } }),
      () => ask(`${url}/mcp?agent=busy`, { method: "DELETE", headers: { "mcp-session-id": "x" } }),
    ];
    for (const way of ways) expect((await way()).status).not.toBe(429);
    for (const way of ways) {
      const { status, headers } = await way();
      expect([status, Number(headers["retry-after"])]).toEqual([
        429,
        expect.toSatisfy((s) => s > 0 && s <= 60),
      ]);
    }
    const other = await ask(`${url}/mcp?agent=idle`, modernCall(1, "my_status"));
    expect(textIn(other.body)).toContain("idle");
    sse.stream.cut();
  });

  it("hold a place each until they are answered, also where nothing is called in them", () => {
    const owners = new Owners({ ...defaultHttpLimits, callsInFlight: 2 });
    const held = [owners.hold("a", "note"), owners.hold("a", "note"), owners.hold("a", "call")];
    for (const one of held) expect(one).toBeTypeOf("function");
    expect((owners.hold("a", "note") as Response).status).toBe(429);
    expect(owners.hold("b", "note")).toBeTypeOf("function");
    (held[0] as () => void)();
    expect(owners.hold("a", "note")).toBeTypeOf("function");
  });

  it("begin to count anew with each minute", () => {
    const owners = new Owners({ ...defaultHttpLimits, requestsPerMinute: 2 });
    const at = (ms: number) => owners.requested("a", ms)?.headers.get("retry-after");
    expect([at(60_000), at(119_000), at(119_000), at(119_999), at(120_000)]).toEqual([
      undefined,
      undefined,
      "1",
      "1",
      undefined,
    ]);
  });
});

describe("a session", () => {
  it("takes no second request of an id that has not been answered, so that no answer is taken for another", async () => {
    const url = await open({});
    const session = await openSession(`${url}/mcp?agent=ids`);
    const post = (body: string) => ask(`${url}/mcp?agent=ids`, { headers: session, body });
    const held = post(toolCall(5, "read_inbox", { wait_seconds: 50 }));
    await world.until(() => world.waiting() === 1);
    expect((await post(toolCall(5, "my_status"))).status).toBe(400);
    expect(textIn((await post(toolCall("5", "my_status"))).body)).toContain("you are ids");
    world.put("ids", { body: "for the first" });
    expect(textIn((await held).body)).toContain("for the first");
    expect(textIn((await post(toolCall(5, "my_status"))).body)).toContain("you are ids");
  });

  it("takes no two requests of one id in one body: one of them would be carried out without an answer", async () => {
    const url = await open({});
    const session = await openSession(`${url}/mcp?agent=twins`);
    const post = (body: string) => ask(`${url}/mcp?agent=twins`, { headers: session, body });
    world.put("twins", { body: "read by nobody" });
    const read = toolCall(7, "read_inbox");
    expect((await post(`[${read},${read}]`)).status).toBe(400);
    expect(textIn((await post(read)).body)).toContain("read by nobody");
  });
});
