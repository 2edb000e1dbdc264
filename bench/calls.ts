import { type Finding, type Measurement, ms, times, us } from "./finding.js";
import { cpuUsOf, inTurn, percentile, ratios, spread } from "./measure.js";
import { StdioClient } from "./stdio-client.js";

const raised = {
  LLM_MAILBOX_MAX_SENDS_PER_MINUTE: "1000000",
  LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "1000000",
};

/** Calls in flight at once where the process has no time to sleep between two. */
const busy = 8;

/** Rounds that are not counted, while the compiler learns. */
const warming = 12;

interface Series {
  readonly cpuUs: number[];
  readonly storeUs: number[];
  readonly latencyMs: number[];
}

/** What a send and a read of one message cost the server process, against a tool that does nothing in the same one. */
export const calls: Measurement = {
  name: "calls",
  raised,
  async measure(store, { quick }) {
    const [rounds, perRound] = quick ? [3, 64] : [15, 320];
    const sender = await StdioClient.open(store, "sender", raised);
    const reader = await StdioClient.open(store, "reader", raised);
    const series = (): Series => ({ cpuUs: [], storeUs: [], latencyMs: [] });
    const of = {
      nothingSender: series(),
      send: series(),
      nothingReader: series(),
      read: series(),
      pause: series(),
      ping: series(),
      busyNothing: series(),
      busySend: series(),
      busyRead: series(),
    };
    let sent = 0;
    let read = 0;
    const part =
      (client: StdioClient, into: Series, calls: number, call: () => Promise<unknown>, inFlight = 1) =>
      async (round: number): Promise<void> => {
        const own = await client.cpuUs();
        const theirs = cpuUsOf(store.pid);
        const latencies: number[] = [];
        const one = async (): Promise<void> => {
          for (let n = 0; n < calls / inFlight; n++) {
            const from = performance.now();
            await call();
            latencies.push(performance.now() - from);
          }
        };
        await Promise.all(Array.from({ length: inFlight }, one));
        const used = (await client.cpuUs()) - own;
        if (round < (quick ? 2 : warming)) return;
        into.cpuUs.push(used / calls);
        into.storeUs.push((cpuUsOf(store.pid) - theirs) / calls);
        into.latencyMs.push(...latencies);
      };
    const send = (): Promise<string> =>
      sender.call("send_message", {
        to: ["reader"],
        subject: "Build",
        body: `Build ${sent++} is green; three tests were slow, see the log for which.`,
      });
    const take = async (): Promise<void> => {
      const text = await reader.call("read_inbox", { limit: 1 });
      if (!text.includes("is green")) throw new Error(`nothing was read: ${text.slice(0, 200)}`);
      read++;
    };
    await reader.call("read_inbox", { limit: 1 });
    // Each kind of call is made as often as the others, before anything is counted and after: the compiler makes code
    // faster by how often it ran. And so often a round that one collection of garbage more or less does not show.
    await inTurn(rounds + (quick ? 2 : warming), [
      part(sender, of.nothingSender, perRound, () => sender.call("bench_nothing")),
      part(sender, of.send, perRound, send),
      part(reader, of.nothingReader, perRound, () => reader.call("bench_nothing")),
      part(reader, of.read, perRound, take),
      part(reader, of.pause, perRound / 4, () => reader.call("bench_pause")),
      part(reader, of.ping, perRound, () => reader.call("bench_ping")),
      part(sender, of.busyNothing, perRound, () => sender.call("bench_nothing"), busy),
      part(sender, of.busySend, perRound, send, busy),
      part(reader, of.busyRead, perRound, take, busy),
    ]);
    await Promise.all([sender.close(), reader.close()]);
    if (read !== sent) throw new Error(`${sent} sent and ${read} read`);

    const finding = (what: string, own: Series, nothing: Series, how = ""): Finding => {
      const ratio = ratios(own.cpuUs, nothing.cpuUs);
      return {
        what: `CPU of the server per \`${what}\`, against a tool that does nothing${how}`,
        store: store.name,
        value: times(ratio),
        aim: "≤ 3",
        met: ratio.median <= 3,
        beside: [
          `${us(spread(own.cpuUs).median)} against ${us(spread(nothing.cpuUs).median)}`,
          `a tool that only sleeps 1 ms takes ${us(spread(of.pause.cpuUs).median)} (going to sleep and waking), against which ${times(ratios(own.cpuUs, of.pause.cpuUs))}`,
          `the store's ${us(spread(own.storeUs).median)}`,
          `latency p50 ${ms(percentile(own.latencyMs, 0.5))}, p99 ${ms(percentile(own.latencyMs, 0.99))}`,
          `(nothing: ${ms(percentile(nothing.latencyMs, 0.5))}, ${ms(percentile(nothing.latencyMs, 0.99))})`,
        ].join("; "),
      };
    };
    const floor = ratios(of.ping.cpuUs, of.nothingReader.cpuUs);
    return [
      {
        what: "CPU of the server per call of a tool that only asks the store for a PONG, against a tool that does nothing",
        store: store.name,
        value: times(floor),
        aim: "shown",
        beside: `${us(spread(of.ping.cpuUs).median)}: what any call costs that asks the store once, before it does anything`,
      },
      finding("send_message", of.send, of.nothingSender),
      finding("read_inbox", of.read, of.nothingReader),
      finding(`send_message`, of.busySend, of.busyNothing, ` with ${busy} calls in flight`),
      finding(`read_inbox`, of.busyRead, of.busyNothing, ` with ${busy} calls in flight`),
    ];
  },
};
