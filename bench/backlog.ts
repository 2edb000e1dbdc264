import type { StoredMessage } from "../src/mailbox/index.js";
import { insertMessage } from "../src/mailbox/insert-message.js";
import { type Measurement, ms, times, us } from "./finding.js";
import { openRooms } from "./in-process.js";
import { atMost, cpuUsOf, inTurn, percentile, ratios, spread } from "./measure.js";
import { StdioClient } from "./stdio-client.js";

const raised = {
  LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "1000000",
  LLM_MAILBOX_MAX_MESSAGES: "1000000",
  LLM_MAILBOX_MAX_MESSAGES_PER_SENDER: "1000000",
  LLM_MAILBOX_MAX_MAILBOX_BYTES: "1000000000",
};

/** What a read costs with much mail waiting, against little. */
export const backlog: Measurement = {
  name: "backlog",
  raised,
  async measure(store, { quick, tell }) {
    const much = quick ? 2_000 : 100_000;
    const little = 100;
    const [rounds, perRound] = quick ? [3, 30] : [15, 30];
    const house = await openRooms(store, raised);
    let inserted = 0;
    const fill = (mailbox: string, count: number): Promise<void> =>
      atMost(64, count, async () => {
        const id = `${(++inserted).toString(36)}-bench`;
        const message: StoredMessage = {
          id,
          from: "sender",
          verified: false,
          to: mailbox,
          sentAt: Date.now(),
          priority: "normal",
          thread: id,
          origin: id,
          contentType: "text/plain",
          body: `Message ${inserted} of many`,
        };
        const operation = { key: `bench|${id}`, digest: id, keepMs: 60_000, attempt: id, keyed: true };
        const posting = { message, bytes: 40, lifeMs: 86_400_000, ackRequired: false };
        await insertMessage(house.mail, "default", mailbox, posting, operation, "");
      });
    const from = Date.now();
    await fill("much", much);
    tell(`  ${much} messages took ${((Date.now() - from) / 1000).toFixed(1)} s`);

    const readers = {
      much: await StdioClient.open(store, "much", raised),
      little: await StdioClient.open(store, "little", raised),
    };
    type Which = keyof typeof readers;
    const lists = () => ({ much: [] as number[], little: [] as number[] });
    const of = { latency: lists(), cpu: lists() };
    const part = (which: Which) => async (round: number) => {
      await fill(which, which === "little" && round === 0 ? little : perRound);
      const reader = readers[which];
      const before = cpuUsOf(reader.child.pid!, store.pid);
      const lasted: number[] = [];
      for (let n = 0; n < perRound; n++) {
        const start = performance.now();
        const text = await reader.call("read_inbox", { limit: 1 });
        lasted.push(performance.now() - start);
        if (!text.includes("of many")) throw new Error(`nothing was read: ${text}`);
      }
      const used = cpuUsOf(reader.child.pid!, store.pid) - before;
      if (round < 3) return;
      of.latency[which].push(percentile(lasted, 0.5));
      of.cpu[which].push(used / perRound);
    };
    await inTurn(rounds + 3, [part("little"), part("much")]);
    await Promise.all([readers.much.close(), readers.little.close(), house.close()]);
    const ratio = ratios(of.latency.much, of.latency.little);
    const embedded = store.name === "embedded";
    return [
      {
        what: `\`read_inbox\` of one message with ${much} waiting, against ${little} (time per call)`,
        store: store.name,
        value: times(ratio),
        ...(embedded ? {} : { aim: "≤ 1.5", met: ratio.median <= 1.5 }),
        beside: [
          `${ms(spread(of.latency.much).median)} against ${ms(spread(of.latency.little).median)}`,
          `CPU of server and store ${us(spread(of.cpu.much).median)} against ${us(spread(of.cpu.little).median)}, ${times(ratios(of.cpu.much, of.cpu.little))}`,
        ].join("; "),
      },
    ];
  },
};
