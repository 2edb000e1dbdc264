import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Finding, type Measurement, ms, times, us } from "./finding.js";
import { envelope, HttpClient, type HttpEra } from "./http-client.js";
import { type HttpServer, serveBare, serveOurs, serveProxy } from "./http-server.js";
import { inTurn, percentile, ratios, type Spread, spread } from "./measure.js";
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
const busy = 8;
/** Rounds that are not counted, while the compiler learns. */
const warming = 12;

/** What one kind of call costs, round by round. */
class Series {
  readonly cpuUs: number[] = [];
  readonly latencyMs: number[] = [];
  readonly #servers: readonly HttpServer[];
  readonly #call: (n: number) => Promise<unknown>;
  #count = 0;

  /** @param servers whose CPU is counted */
  constructor(servers: readonly HttpServer[], call: (n: number) => Promise<unknown>) {
    this.#servers = servers;
    this.#call = call;
  }

  async round(calls: number, counts: boolean): Promise<void> {
    const before = await this.#used();
    const latencies: number[] = [];
    const inFlight = busy * this.#servers.length;
    const one = async (): Promise<void> => {
      for (let n = 0; n < calls / inFlight; n++) {
        const from = performance.now();
        await this.#call(this.#count++);
        latencies.push(performance.now() - from);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, one));
    const used = (await this.#used()) - before;
    if (!counts) return;
    this.cpuUs.push(used / calls);
    this.latencyMs.push(...latencies);
  }

  /** CPU time as the servers say themselves; by a client of its own, whose calls cost each series the same. */
  async #used(): Promise<number> {
    const told = this.#servers.map(({ url }) => new HttpClient(url, "asker", "2026-07-28").call("bench_cpu"));
    return (await Promise.all(told)).reduce((sum, text) => sum + Number(text), 0);
  }
}

/** What HTTP costs: a send against nothing, our stack against the SDK's, two processes against one, and stalled listeners. */
export const http: Measurement = {
  name: "http",
  raised,
  async measure(store, { quick, tell }) {
    const [rounds, perRound] = quick ? [3, 64] : [15, 160];
    const skipped = quick ? 2 : warming;
    const open: HttpServer[] = [];
    const opened = async (server: Promise<HttpServer>): Promise<HttpServer> => {
      const one = await server;
      open.push(one);
      return one;
    };
    const ours = (): Promise<HttpServer> => opened(serveOurs(store.url, { tools: true, env: raised }));
    try {
      const [single, bare] = [await ours(), await opened(serveBare())];
      const findings: Finding[] = [];
      for (const era of eras) {
        tell(`  ${era}`);
        const client = await greeted(single.url, `sender-${era}`, era);
        const toBare = await greeted(bare.url, "sender", era);
        const nothing = new Series([single], () => client.call("bench_nothing"));
        const send = new Series([single], sending(client, era));
        const ping = new Series([single], () => client.call("bench_ping"));
        const bareNothing = new Series([bare], () => toBare.call("bench_nothing"));
        const parts = [nothing, bareNothing, send, ping].map(
          (series) => (round: number) =>
            series.round(series === send ? perRound : 2 * perRound, round >= skipped),
        );
        await inTurn(rounds + skipped, parts);
        const floor = ratios(ping.cpuUs, nothing.cpuUs);
        findings.push(
          {
            what: `CPU of the server per call over HTTP (${era}) of a tool that only asks the store for a PONG, against a tool that does nothing`,
            store: store.name,
            value: times(floor),
            aim: "shown",
            beside: `${us(spread(ping.cpuUs).median)}: what any call costs that asks the store once, before it does anything`,
          },
          compared(
            store,
            `CPU of the server per \`send_message\` over HTTP (${era}), against a tool that does nothing on the same stack`,
            send,
            nothing,
            1.25,
          ),
          compared(
            store,
            `CPU of a tool that does nothing over HTTP (${era}) on our stack, against the SDK's bare handlers`,
            nothing,
            bareNothing,
            1.1,
          ),
        );
      }
      tell("  two processes");
      // New ones, so that none has learnt more than another.
      const [alone, one, two] = [await ours(), await ours(), await ours()];
      const era = "2026-07-28";
      const [toOne, toTwo] = [
        await greeted((await opened(serveProxy([alone]))).url, "sender-alone", era),
        await greeted((await opened(serveProxy([one, two]))).url, "sender-between", era),
      ];
      const byOne = new Series([alone], sending(toOne, "alone"));
      const byTwo = new Series([one, two], sending(toTwo, "between"));
      await inTurn(
        rounds + skipped,
        [byOne, byTwo].map(
          (series) => (round: number) =>
            series.round(2 * perRound * (series === byTwo ? 2 : 1), round >= skipped),
        ),
      );
      findings.push(
        compared(
          store,
          "CPU of the servers per `send_message` (2026-07-28) with two processes behind a round-robin proxy, against one behind it",
          byTwo,
          byOne,
          1.05,
        ),
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

/** Sends to a hundred mailboxes in turn, so that none is full in the end. */
function sending(client: HttpClient, what: string): (n: number) => Promise<string> {
  return (n) =>
    client.call("send_message", {
      to: [`reader${n % 100}`],
      subject: "Build",
      body: `Build ${n} of ${what} is green; three tests were slow, see the log for which.`,
      create: true,
    });
}

function compared(store: BenchStore, what: string, own: Series, other: Series, aim: number): Finding {
  const ratio: Spread = ratios(own.cpuUs, other.cpuUs);
  return {
    what,
    store: store.name,
    value: times(ratio),
    aim: `≤ ${aim}`,
    met: ratio.median <= aim,
    beside: `${us(spread(own.cpuUs).median)} against ${us(spread(other.cpuUs).median)}, ${busy} calls in flight for each process; latency p50 ${ms(percentile(own.latencyMs, 0.5))}, p99 ${ms(percentile(own.latencyMs, 0.99))} (${ms(percentile(other.latencyMs, 0.5))}, ${ms(percentile(other.latencyMs, 0.99))})`,
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
