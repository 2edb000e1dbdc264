import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ask,
  initialize,
  json,
  message,
  modernCall,
  modernListen,
  openSession,
  openSocket,
  ServeProcess,
  SseClient,
  saidUntilClosed,
  textIn,
  toolCall,
} from "../http/raw-http.js";
import { startStore, type TestStore } from "../stores/index.js";

/** One server in a process of its own is attacked by each test; somebody else asks it all the while. */
let store: TestStore;
let server: ServeProcess;
beforeAll(async () => {
  store = await startStore("embedded");
  server = await ServeProcess.start({
    REDIS_URL: store.url,
    LLM_MAILBOX_LOG_LEVEL: "error",
    LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "100000",
  });
});
afterAll(async () => {
  expect(server.child.exitCode).toBe(null);
  await server.stop();
  await store.stop();
  // Nothing that a client does is an error of ours.
  expect(server.stderr).not.toMatch(/"level":50/);
});

const residentMib = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, "latin1"))![1]) / 1024;

/** What somebody who does nothing wrong sees while the attack goes on: answers, and how long the slowest took. */
async function bystander<T>(
  attack: () => Promise<T>,
): Promise<{ result: T; answers: number; slowestMs: number }> {
  const agent = new Agent({ keepAlive: true });
  let going = true;
  let answers = 0;
  let slowestMs = 0;
  const asking = (async () => {
    while (going || answers === 0) {
      const from = performance.now();
      const answer = await ask(`${server.url}/mcp?agent=bystander`, {
        ...modernCall(answers, "my_status"),
        agent,
      });
      expect(textIn(answer.body)).toContain("you are bystander");
      slowestMs = Math.max(slowestMs, performance.now() - from);
      answers += 1;
      await delay(5);
    }
  })();
  asking.catch(() => undefined); // told below, unless the attack itself failed
  try {
    const result = await attack();
    going = false;
    await asking;
    return { result, answers, slowestMs };
  } finally {
    going = false;
    agent.destroy();
  }
}

async function served(attack: () => Promise<void>): Promise<void> {
  const { answers, slowestMs } = await bystander(attack);
  expect(answers).toBeGreaterThan(0);
  expect(slowestMs).toBeLessThan(15_000);
}

/** Memory after an attack, once what was freed has been given back: bounded, whatever the attack had held. */
async function comesBack(before: number, withinMib: number): Promise<void> {
  await expect.poll(residentMib, { timeout: 60_000, interval: 200 }).toBeLessThan(before + withinMib);
}

async function openStreams(): Promise<number> {
  const { body } = await ask(`${server.url}/metrics`);
  return Number(/^llm_mailbox_streams_open\{kind="subscription"\} (\d+)$/m.exec(body)![1]);
}

// Half a minute in all on a quiet machine.
describe("a server that is attacked over HTTP", { timeout: 120_000 }, () => {
  it("answers no page that had its own name pointed here, and no page of another origin", async () => {
    await served(async () => {
      for (const path of ["/mcp", "/sse", "/sse/messages?session=x", "/healthz", "/readyz", "/metrics", "/"])
        for (const headers of [
          { host: "attacker.example:7678" },
          { host: "127.0.0.1.attacker.example" },
          { host: "0.0.0.0" },
          { host: "2130706433.example" },
          { origin: "https://attacker.example" },
          { origin: "null" },
          { origin: "http://localhost.attacker.example" },
          { host: "localhost", origin: "http://127.0.0.1@attacker.example" },
        ]) {
          const answer = await ask(`${server.url}${path}`, { headers });
          expect([path, headers, answer.status]).toEqual([path, headers, 403]);
        }
      // Forwarding headers move nobody here.
      const forged = {
        host: "attacker.example",
        "x-forwarded-host": "localhost",
        forwarded: "host=localhost",
      };
      expect((await ask(`${server.url}/healthz`, { headers: forged })).status).toBe(403);
    });
  });

  it("cuts floods of headers, many or long", async () => {
    await served(async () => {
      const flood = await Promise.all(
        Array.from({ length: 100 }, async (_, n) => {
          const socket = await openSocket(server.port);
          const said = saidUntilClosed(socket);
          socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n");
          const line = n % 2 ? `x-${n}: ${"y".repeat(4_000)}\r\n` : "x:y\r\n".repeat(1_000);
          for (let lines = 0; lines < 50 && !socket.destroyed; lines++) socket.write(line);
          socket.write("\r\n");
          return said;
        }),
      );
      for (const said of flood) expect(said.slice(0, 12)).toMatch(/^(HTTP\/1\.1 431|)$/);
    });
  });

  it("gives 200 clients that send their bodies byte by byte only as long as a request may take", async () => {
    const strict = await ServeProcess.start({ REDIS_URL: store.url, LLM_MAILBOX_MAX_REQUEST_SECONDS: "3" });
    const patient = server;
    server = strict;
    await served(async () => {
      const sockets: Socket[] = [];
      for (let n = 0; n < 200; n++) {
        const socket = await openSocket(server.port);
        socket.write(
          "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n",
        );
        sockets.push(socket);
      }
      const drip = setInterval(() => {
        for (const socket of sockets) if (socket.writable) socket.write("{");
      }, 100);
      const said = await Promise.all(sockets.map((socket) => saidUntilClosed(socket)));
      clearInterval(drip);
      // Who goes on sending may lose the answer to the end of the connection.
      for (const one of said) expect(one).toMatch(/^(HTTP\/1\.1 408 |$)/);
    }).finally(() => {
      server = patient;
    });
    await strict.stop();
  });

  it("reads nothing of bodies of 100 MB, announced or not, and its memory stays", async () => {
    const before = residentMib();
    await served(async () => {
      const chunk = Buffer.alloc(64 * 1024, "x");
      const sending = Array.from(
        { length: 10 },
        (_, n) =>
          new Promise<number>((resolve) => {
            const sent = request(`${server.url}/mcp`, {
              method: "POST",
              agent: false,
              headers: { ...json, ...(n % 2 ? { "content-length": 100 * 1024 * 1024 } : {}) },
            });
            let status = 0;
            let bytes = 0;
            sent.on("response", (response) => {
              status = response.statusCode!;
              response.resume();
            });
            sent.on("error", () => undefined);
            sent.on("close", () => resolve(status));
            const more = (): void => {
              while (bytes < 100 * 1024 * 1024 && !sent.destroyed) {
                bytes += chunk.length;
                if (!sent.write(chunk)) {
                  sent.once("drain", more);
                  return;
                }
              }
              sent.end();
            };
            more();
          }),
      );
      // Who goes on sending may lose the answer to the end of the connection.
      for (const status of await Promise.all(sending)) expect([413, 0]).toContain(status);
    });
    await comesBack(before, 60);
  });

  it("reaches with the denial of a hook whoever sends far more than is read of it, announced or not", async () => {
    const denied = Array(6).fill("200 deny");
    const said = (status: number, text: string): string =>
      `${status} ${/"permissionDecision":"(\w+)"/.exec(text)?.[1]}`;
    for (const bytes of [1_100_000, 4_300_000, 20_000_000])
      for (const query of ["closed=1", "close=1"]) {
        const url = `${server.url}/policy/hook?agent=coder&${query}`;
        const body = JSON.stringify({ tool_name: "Bash", tool_input: { command: "x".repeat(bytes) } });
        const type = { "content-type": "application/json" };
        const told: string[][] = [[], []];
        for (let n = 0; n < 6; n++) {
          const answer = await fetch(url, { method: "POST", headers: type, body });
          told[0]!.push(said(answer.status, await answer.text()));
          const length = n % 2 ? { "content-length": String(body.length) } : {};
          const asked = await ask(url, { headers: { ...type, ...length }, body });
          told[1]!.push(said(asked.status, asked.body));
        }
        expect([bytes, query, ...told]).toEqual([bytes, query, denied, denied]);
      }
  });

  it("reads of a hook that has to be refused no more than 64 MB, and waits for it 5 s at most", async () => {
    const before = residentMib();
    await served(async () => {
      const head =
        "POST /policy/hook?closed=1 HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
      const from = performance.now();
      const slow: Socket[] = [];
      for (let n = 0; n < 200; n++) {
        const socket = await openSocket(server.port);
        socket.write(`${head}content-length: 60000000\r\n\r\n`);
        slow.push(socket);
      }
      const drip = setInterval(() => {
        for (const socket of slow) if (socket.writable) socket.write("{");
      }, 100);
      const endless = Array.from({ length: 5 }, async () => {
        const socket = await openSocket(server.port);
        const closed = saidUntilClosed(socket);
        const chunk = Buffer.alloc(1024 * 1024, "x");
        const size = chunk.length.toString(16);
        socket.write(`${head}transfer-encoding: chunked\r\n\r\n`);
        let sent = 0;
        const more = (): void => {
          while (socket.writable && sent < 1_000) {
            sent += 1;
            socket.write(`${size}\r\n`);
            socket.write(chunk);
            if (!socket.write("\r\n")) {
              socket.once("drain", more);
              return;
            }
          }
        };
        more();
        await closed;
        return sent;
      });
      const said = await Promise.all(slow.map((socket) => saidUntilClosed(socket)));
      clearInterval(drip);
      expect(performance.now() - from).toBeLessThan(20_000);
      // Who goes on sending may lose the answer to the end of the connection.
      for (const one of said) expect(one).toMatch(/^(HTTP\/1\.1 200 [\s\S]*"permissionDecision":"deny"|$)/);
      // What lies in buffers between the two is sent, and not read.
      for (const sent of await Promise.all(endless)) expect(sent).toBeLessThan(100);
    });
    await comesBack(before, 100);
  });

  it("serves others beside 50 clients that send 500 requests each without waiting for an answer", async () => {
    const sockets: Socket[] = [];
    const flooded = async (): Promise<void> => {
      for (let n = 0; n < 50; n++) {
        const socket = await openSocket(server.port);
        const { headers, body } = modernCall(1, "my_status");
        const one = rawPost(`/mcp?agent=hasty${n}`, headers as Record<string, string>, body!);
        // Nothing is read, and what does not fit stays with the client.
        socket.pause().write(one.repeat(100));
        for (let more = 0; more < 400; more++) socket.write(one);
        sockets.push(socket);
      }
      await delay(8_000);
    };
    const { answers, slowestMs } = await bystander(flooded);
    expect(answers).toBeGreaterThan(20);
    expect(slowestMs).toBeLessThan(5_000);
    for (const socket of sockets) socket.destroy();
  });

  it("answers bombs of JSON, deep, wide or long, with errors", async () => {
    const before = residentMib();
    const call = (input: string) =>
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"my_status","arguments":${input}}}`;
    const bombs = [
      call("[".repeat(400_000) + "]".repeat(400_000)),
      call(`${'{"a":'.repeat(150_000)}1${"}".repeat(150_000)}`),
      "[".repeat(1_000_000),
      `[${'{"jsonrpc":"2.0","id":1,"method":"ping"},'.repeat(10_000)}1]`,
      call(`{${Array.from({ length: 60_000 }, (_, n) => `"k${n}":1`).join(",")}}`),
      call(`{"describe":"${"\\u0000".repeat(150_000)}"}`),
      `[${'{"jsonrpc":"2.0","method":"a"},'.repeat(30_000)}{}]`,
      `[${'{"jsonrpc":"2.0","id":1,"result":{}},'.repeat(25_000)}{}]`,
      message(1, "ping", Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`k${n}`, n]))),
      call(`{"n":${"9".repeat(500_000)}}`),
      call('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
    ];
    await served(async () => {
      const session = await openSession(`${server.url}/mcp?agent=bomber`);
      for (const body of bombs)
        for (const headers of [session, modernCall(1, "my_status").headers!]) {
          const answer = await ask(`${server.url}/mcp?agent=bomber`, { headers, body });
          expect([200, 400, 429]).toContain(answer.status);
          if (answer.status === 200) expect(answer.body).toMatch(/input\.invalid|"error"/);
          else expect(JSON.parse(answer.body)).toMatchObject({ jsonrpc: "2.0", error: {} });
        }
    });
    await comesBack(before, 150);
  });

  it("serves others beside 1,000 listeners that stop reading, and lets go of them when they leave", async () => {
    const before = residentMib();
    const sockets: Socket[] = [];
    await served(async () => {
      const perAgent = 16;
      for (let n = 0; n < 1_000; n++) {
        const { headers, body } = modernListen(`l${n}`, ["mailbox://inbox", "mailbox://agents"]);
        const socket = await openSocket(server.port);
        const head = Object.entries({ ...headers, host: "localhost", "content-length": body!.length });
        socket.write(
          `POST /mcp?agent=mute${Math.floor(n / perAgent)} HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`,
        );
        sockets.push(socket);
        if (n % 100 === 99) await expect.poll(openStreams, { timeout: 60_000 }).toBe(n + 1);
      }
      for (const socket of sockets) socket.pause();
      // Each of them is told of every one of these.
      for (let n = 0; n < 5; n++) {
        const to = Array.from({ length: 60 }, (_, agent) => `mute${agent}`);
        const sent = modernCall(n, "send_message", { to, body: `to all ${n}`, again: true });
        expect((await ask(`${server.url}/mcp?agent=crier`, sent)).status).toBe(200);
      }
    });
    const held = residentMib();
    for (const socket of sockets) socket.destroy();
    await expect.poll(openStreams, { timeout: 60_000 }).toBe(0);
    expect(held - before).toBeLessThan(300);
    await comesBack(before, 200);
  });

  it("keeps nothing of 1,000 clients that connect and drop, at whatever point", async () => {
    const before = residentMib();
    await served(async () => {
      const parts = [
        "",
        "POST /mcp HTTP/1.1\r\nhost: loc",
        `POST /mcp?agent=dropper HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"jsonrpc"`,
        "GET /sse?agent=dropper HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n",
        rawPost("/mcp?agent=dropper", { ...json }, initialize()),
        rawPost(
          "/mcp?agent=dropper",
          modernCall(1, "read_inbox", { wait_seconds: 50 }).headers as Record<string, string>,
          modernCall(1, "read_inbox", { wait_seconds: 50 }).body!,
        ),
      ];
      for (let n = 0; n < 1_000; n++) {
        const socket = await openSocket(server.port);
        const part = parts[n % parts.length]!;
        if (part) await new Promise<void>((resolve) => socket.write(part, () => resolve()));
        const isAnswered = [3, 4].includes(n % parts.length);
        if (isAnswered && n % 5 === 0) await new Promise((resolve) => socket.once("data", resolve));
        if (n % 2) socket.destroy();
        else socket.resetAndDestroy();
      }
    });
    const gauge = async (name: string): Promise<number> => {
      const { body } = await ask(`${server.url}/metrics`);
      return Number(new RegExp(`^llm_mailbox_${name} (\\d+)$`, "m").exec(body)![1]);
    };
    await expect.poll(() => gauge('sessions_open\\{kind="sse"\\}'), { timeout: 60_000 }).toBe(0);
    await expect.poll(() => gauge("waits_open"), { timeout: 60_000 }).toBe(0);
    // The bystander's and this one.
    await expect.poll(() => gauge("http_connections_open"), { timeout: 60_000 }).toBeLessThan(10);
    await comesBack(before, 100);
  });

  it("gives 10,000 concurrent calls with equal ids from many clients each its own answer", async () => {
    const agents = 99;
    const each = 102;
    const pool = new Agent({ keepAlive: true, maxSockets: 250 });
    const at = (n: number): string => `${server.url}/mcp?agent=client${n}`;
    // A third speaks each transport.
    const clients = await Promise.all(
      Array.from({ length: agents }, async (_, n): Promise<(id: number, tool: string) => Promise<string>> => {
        if (n % 3 === 0)
          return async (id, tool) => (await ask(at(n), { ...modernCall(id, tool), agent: pool })).body;
        if (n % 3 === 1) {
          const headers = await openSession(at(n), pool);
          return async (id, tool) =>
            (await ask(at(n), { headers, body: toolCall(id, tool), agent: pool })).body;
        }
        const sse = await SseClient.open(server.url, `client${n}`);
        return async (id, tool) => {
          const posted = await ask(sse.address, { headers: json, body: toolCall(id, tool), agent: pool });
          return posted.status === 202 ? sse.answer(id) : posted.body;
        };
      }),
    );
    const wrong: string[] = [];
    let right = 0;
    const one = async (agent: number, id: number): Promise<void> => {
      // A refusal that repeats what was asked: it tells whose answer this is, and to which of its calls.
      const name = `of-client${agent}-call${id}`;
      const body = await clients[agent]!(id, name);
      if (body.includes(`"id":${id}`) && body.includes(name)) right += 1;
      else wrong.push(`client${agent} call ${id}: ${body.slice(0, 200)}`);
    };
    await served(async () => {
      // Every client uses the same ids, and all of them are under way at once.
      const calls = Array.from({ length: agents * each }, (_, n) => [n % agents, 1 + Math.floor(n / agents)]);
      await Promise.all(calls.map(([agent, id]) => one(agent!, id!)));
    });
    expect(wrong.slice(0, 5)).toEqual([]);
    expect(right).toBe(agents * each);
    const told = await Promise.all(clients.map((call) => call(1_000, "my_status")));
    for (const [n, text] of told.entries()) expect(text).toContain(`you are client${n} `);
    pool.destroy();
    expect((await ask(`${server.url}/mcp`, { headers: json, body: message(1, "ping") })).status).toBe(400);
  });
});

function rawPost(path: string, headers: Record<string, string>, body: string): string {
  const head = Object.entries({ host: "localhost", ...headers, "content-length": String(body.length) });
  return `POST ${path} HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
}
