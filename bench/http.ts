import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { measureAtOnce, measureRested, restMs, type Series } from "./cpu-of-calls.js";
import { type Finding, type Measurement, ms, times, us } from "./finding.js";
import { envelope, HttpClient, type HttpEra } from "./http-client.js";
import { type HttpServer, serveBare, serveOurs, serveProxy } from "./http-server.js";
import { percentile, ratios, spread } from "./measure.js";
import type { BenchStore } from "./stores.js";

const raised = {
  LLM_MAILBOX_MAX_SENDS_PER_MINUTE: "1000000",
  LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "1000000",
  LLM_MAILBOX_MAX_MESSAGES: "1000000",
  LLM_MAILBOX_MAX_MESSAGES_PER_SENDER: "1000000",
  LLM_MAILBOX_MAX_MAILBOX_BYTES: "1000000000",
};

const eras: readonly HttpEra[] = ["2026-07-28", "2025-11-25"];
/** Calls in flight at once at each process, which so has no time to sleep between two. */
const together = { inFlight: 8, perRound: 504 };
const [afterRest, inFlight] = [`${restMs} ms after the call before`, `${together.inFlight} in flight`];
/** What HTTP costs: a send against nothing, our stack against the SDK's, two processes against one, and stalled listeners. */
export const http: Measurement = {
  name: "http",
  raised,
  async measure(store, { quick, tell }) {
    const open: HttpServer[] = [];
    const opened = async (server: Promise<HttpServer>): Promise<HttpServer> => {
      const one = await server;
      open.push(one);
      return one;
    };
    const ours = (): Promise<HttpServer> => opened(serveOurs(store.url, { tools: true, env: raised }));
    try {
      const [single, bare] = [await ours(), await opened(serveBare())];
      const readers = await readersAt(single);
      const options = { quick, storePid: store.pid };
      const findings: Finding[] = [];
      for (const era of eras) {
        tell(`  ${era}`);
        const client = await greeted(single.url, `sender-${era}`, era);
        const toBare = await greeted(bare.url, "sender", era);
        const nothing = (): Promise<string> => client.call("bench_nothing");
        const bareNothing = (): Promise<string> => toBare.call("bench_nothing");
        const kinds = {
          nothing: { pids: [single.pid], call: nothing, nothing },
          bare: { pids: [bare.pid], call: bareNothing, nothing: bareNothing },
          send: { pids: [single.pid], call: sending(client, era, readers), nothing },
          ping: { pids: [single.pid], call: () => client.call("bench_ping"), nothing },
        };
        const all = (how: string, of: Readonly<Record<keyof typeof kinds, Series>>, aims: boolean) => {
          const against = `a tool that does nothing on the same stack, ${how}`;
          findings.push(
            compared(
              store,
              `CPU of the server per \`send_message\` over HTTP (${era}), against ${against}`,
              [of.send, of.nothing],
              aims ? 1.25 : undefined,
            ),
            compared(
              store,
              `CPU of the server per \`bench_ping\`, which asks the store for nothing but a PONG, over HTTP (${era}), against ${against}`,
              [of.ping, of.nothing],
            ),
            compared(
              store,
              `CPU of a tool that does nothing over HTTP (${era}) on our stack, against the SDK's bare handlers, ${how}`,
              [of.nothing, of.bare],
              aims ? 1.1 : undefined,
            ),
          );
        };
        all(inFlight, await measureAtOnce(kinds, { ...options, ...together }), true);
        all(afterRest, await measureRested(kinds, options), false);
      }
      tell("  two processes");
      // New ones, so that none has learnt more than another.
      const [alone, one, two] = [await ours(), await ours(), await ours()];
      const era = "2026-07-28";
      const [toOne, toTwo] = [
        await greeted((await opened(serveProxy([alone]))).url, "sender-alone", era),
        await greeted((await opened(serveProxy([one, two]))).url, "sender-between", era),
      ];
      const nothing = [toOne, toTwo].map((client) => () => client.call("bench_nothing"));
      const [behindOne, behindTwo] = [
        { pids: [alone.pid], nothing: nothing[0]! },
        // Twice, so that each of the two has been called before.
        { pids: [one.pid, two.pid], nothing: async () => [await nothing[1]!(), await nothing[1]!()] },
      ];
      const kinds = {
        nothingByOne: { ...behindOne, call: nothing[0]! },
        nothingByTwo: { ...behindTwo, call: nothing[1]! },
        byOne: { ...behindOne, call: sending(toOne, "alone", readers) },
        byTwo: { ...behindTwo, call: sending(toTwo, "between", readers) },
      };
      const behind = (what: string, how: string): string =>
        `CPU of the servers per ${what} (${era}) with two processes behind a round-robin proxy, against one behind it, ${how}`;
      const shared = { ...options, shared: true };
      const rested = await measureRested(kinds, shared);
      const busily = await measureAtOnce(kinds, { ...shared, ...together });
      findings.push(
        compared(store, behind("`send_message`", inFlight), [busily.byTwo, busily.byOne], 1.05),
        compared(store, behind("`send_message`", afterRest), [rested.byTwo, rested.byOne]),
        compared(store, behind("call of a tool that does nothing", inFlight), [
          busily.nothingByTwo,
          busily.nothingByOne,
        ]),
      );
      findings.push(await stalled(store, quick, tell));
      return findings;
    } finally {
      HttpClient.closeAll();
      await Promise.all(open.map((server) => server.close()));
    }
  },
};

async function greeted(url: string, agent: string, era: HttpEra): Promise<HttpClient> {
  const client = new HttpClient(url, agent, era);
  await client.greet();
  await client.call("bench_nothing");
  return client;
}

/** Agents that have been here, so that what is sent to them opens no mailbox; enough that none is full in the end. */
async function readersAt(server: HttpServer): Promise<readonly string[]> {
  const names = Array.from({ length: 100 }, (_, n) => `reader${n}`);
  for (const name of names) await new HttpClient(server.url, name, "2026-07-28").call("read_inbox");
  return names;
}

/** Sends to the readers in turn. */
function sending(client: HttpClient, what: string, readers: readonly string[]): () => Promise<string> {
  let sent = 0;
  return () =>
    client.call("send_message", {
      to: [readers[sent % readers.length]],
      subject: "Build",
      body: `Build ${sent++} of ${what} is green; three tests were slow, see the log for which.`,
    });
}

function compared(
  store: BenchStore,
  what: string,
  [own, other]: readonly [Series, Series],
  aim?: number,
): Finding {
  const ratio = ratios(own.cpuUs, other.cpuUs);
  const latency = ({ latencyMs }: Series, share: number): string => ms(percentile(latencyMs, share));
  return {
    what,
    store: store.name,
    value: times(ratio),
    ...(aim !== undefined && { aim: `≤ ${aim}`, met: ratio.median <= aim }),
    beside: `${us(spread(own.cpuUs).median)} against ${us(spread(other.cpuUs).median)}; latency p50 ${latency(own, 0.5)}, p99 ${latency(own, 0.99)} (${latency(other, 0.5)}, ${latency(other, 0.99)})`,
  };
}

/** How late the event loop is while many listeners read nothing and all of them have something to be told. */
async function stalled(store: BenchStore, quick: boolean, tell: (line: string) => void): Promise<Finding> {
  const count = quick ? 100 : 1_000;
  // Longer than the server looks back, so that opening the listeners is not in it.
  const forMs = quick ? 3_000 : 65_000;
  tell(`  ${count} listeners that do not read`);
  const server = await serveOurs(store.url, { env: raised });
  const sockets: Socket[] = [];
  try {
    const { hostname, port } = new URL(server.url);
    const perAgent = 16;
    for (let n = 0; n < count; n++) sockets.push(await listening(hostname, Number(port), `mute${n >> 4}`, n));
    const crier = new HttpClient(server.url, "crier", "2026-07-28");
    const to = Array.from({ length: Math.ceil(count / perAgent) }, (_, n) => `mute${n}`);
    const from = performance.now();
    let sent = 0;
    while (performance.now() - from < forMs) {
      await crier.call("send_message", { to, body: `to all ${sent++}`, again: true });
      await delay(50);
    }
    const metrics = await (await fetch(new URL("/metrics", server.url))).text();
    const quantile = (q: string): number =>
      1000 * Number(new RegExp(`event_loop_delay_seconds\\{quantile="${q}"\\} (\\S+)`).exec(metrics)?.[1]);
    const p99 = quantile("0.99");
    return {
      what: `Event-loop delay with ${count} listeners that stop reading and are told of all that is sent (p99)`,
      store: store.name,
      value: ms(p99),
      aim: "≤ 100 ms",
      met: p99 <= 100,
      beside: `p50 ${ms(quantile("0.5"))}; ${sent} sends to ${to.length} agents each meanwhile`,
    };
  } finally {
    for (const socket of sockets) socket.destroy();
    HttpClient.closeAll();
    await server.close();
  }
}

/** A client that opens a stream of updates, takes the head of the answer, and reads nothing more. */
function listening(host: string, port: number, agent: string, n: number): Promise<Socket> {
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: n,
    method: "subscriptions/listen",
    params: { notifications: { resourceSubscriptions: ["mailbox://inbox"] }, _meta: envelope },
  });
  const head = [
    `POST /mcp?agent=${agent} HTTP/1.1`,
    `host: ${host}:${port}`,
    "content-type: application/json",
    "accept: application/json, text/event-stream",
    "mcp-protocol-version: 2026-07-28",
    "mcp-method: subscriptions/listen",
    `content-length: ${body.length}`,
  ].join("\r\n");
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => socket.write(`${head}\r\n\r\n${body}`));
    socket.once("error", reject);
    socket.once("data", (chunk: Buffer) => {
      socket.pause();
      if (chunk.toString("latin1").startsWith("HTTP/1.1 200")) resolve(socket);
      else reject(new Error(chunk.toString("latin1").slice(0, 200)));
    });
  });
}
