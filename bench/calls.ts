import { type Kind, measureAtOnce, measureRested, restMs, type Series } from "./cpu-of-calls.js";
import { type Finding, type Measurement, ms, times, us } from "./finding.js";
import { percentile, ratios, spread } from "./measure.js";
import { StdioClient } from "./stdio-client.js";

const raised = {
  LLM_MAILBOX_MAX_SENDS_PER_MINUTE: "1000000",
  LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "1000000",
};

/** Calls in flight at once where the process has no time to sleep between two. */
const busy = 8;

/** The tool that shows what any call costs that asks the store once, before it does anything. */
const ping = "bench_ping";

/** What a send and a read of one message cost the server process, against a tool that does nothing in the same one. */
export const calls: Measurement = {
  name: "calls",
  raised,
  async measure(store, { quick }) {
    const sender = await StdioClient.open(store, "sender", raised);
    const reader = await StdioClient.open(store, "reader", raised);
    let sent = 0;
    let read = 0;
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
    const at = (client: StdioClient, call: () => Promise<unknown>): Kind => ({
      pids: [client.child.pid!],
      call,
      nothing: () => client.call("bench_nothing"),
    });
    const kinds = {
      nothingSender: at(sender, () => sender.call("bench_nothing")),
      send: at(sender, send),
      nothingReader: at(reader, () => reader.call("bench_nothing")),
      read: at(reader, take),
      ping: at(reader, () => reader.call(ping)),
    };
    const options = { quick, storePid: store.pid };
    const rested = await measureRested(kinds, options);
    const atOnce = await measureAtOnce(kinds, options);
    const together = await measureAtOnce(kinds, { ...options, inFlight: busy });
    await Promise.all([sender.close(), reader.close()]);
    if (read !== sent) throw new Error(`${sent} sent and ${read} read`);

    const finding = (what: string, how: string, own: Series, nothing: Series, aim?: number): Finding => {
      const ratio = ratios(own.cpuUs, nothing.cpuUs);
      return {
        what: `CPU of the server per \`${what}\`, against a tool that does nothing, ${how}`,
        store: store.name,
        value: times(ratio),
        ...(aim !== undefined && { aim: `≤ ${aim}`, met: ratio.median <= aim }),
        beside: [
          `${us(spread(own.cpuUs).median)} against ${us(spread(nothing.cpuUs).median)}`,
          `the store's ${us(spread(own.storeUs).median)}`,
          `latency p50 ${ms(percentile(own.latencyMs, 0.5))}, p99 ${ms(percentile(own.latencyMs, 0.99))}`,
          `(nothing: ${ms(percentile(nothing.latencyMs, 0.5))}, ${ms(percentile(nothing.latencyMs, 0.99))})`,
        ].join("; "),
      };
    };
    const all = (how: string, of: typeof rested): readonly Finding[] => [
      finding("send_message", how, of.send, of.nothingSender, 3),
      finding("read_inbox", how, of.read, of.nothingReader, 3),
      finding(ping, how, of.ping, of.nothingReader),
    ];
    return [
      ...all(`${restMs} ms after the call before`, rested),
      ...all("one at once after another", atOnce),
      ...all(`${busy} in flight`, together),
    ];
  },
};
