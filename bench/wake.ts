import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { restMs } from "./cpu-of-calls.js";
import { type Measurement, ms } from "./finding.js";
import { inTurn, percentile } from "./measure.js";
import { StdioClient } from "./stdio-client.js";
import type { BenchStore } from "./stores.js";

const raised = {
  LLM_MAILBOX_MAX_SENDS_PER_MINUTE: "1000000",
  LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "1000000",
};

export interface Hop {
  /** Milliseconds from a line written to the publisher to the same line from the subscriber. */
  once(): Promise<number>;
  close(): void;
}

export interface HopBetweenProcesses extends Hop {
  /** Has both processes answer lines that ask for nothing, as `untilWaiting` has a server answer calls. */
  keepBusy(): Promise<void>;
}

/** From a send in one process to the reply of a `read_inbox` that waits in another. */
export const wake: Measurement = {
  name: "wake",
  raised,
  async measure(store, { quick }) {
    const [rounds, perRound] = quick ? [3, 20] : [10, 50];
    const [sender, reader] = await Promise.all([
      StdioClient.open(store, "sender", raised),
      StdioClient.open(store, "reader", raised),
    ]);
    const processes = await hopBetweenProcesses(store);
    const driver = await hopInProcess(store);
    const taken = { ours: [] as number[], processes: [] as number[], driver: [] as number[] };
    let sent = 0;
    const ours = async (): Promise<number> => {
      const waiting = reader.call("read_inbox", { limit: 1, wait_seconds: 50 });
      await untilWaiting(reader);
      await delay(restMs);
      const from = performance.now();
      const sending = sender.call("send_message", { to: ["reader"], body: `Message ${sent}, have a look` });
      const text = await waiting;
      const lasted = performance.now() - from;
      if (!text.includes(`Message ${sent}, have`)) throw new Error(`not what was sent: ${text}`);
      sent++;
      await sending;
      return lasted;
    };
    const part = (into: number[], work: () => Promise<number>) => async (round: number) => {
      for (let n = 0; n < perRound; n++) {
        const lasted = await work();
        if (round >= 2) into.push(lasted);
      }
    };
    await reader.call("read_inbox", { limit: 1 });
    await inTurn(rounds + 2, [
      part(taken.driver, rested(driver)),
      part(taken.processes, rested(processes)),
      part(taken.ours, ours),
    ]);
    processes.close();
    driver.close();
    await Promise.all([sender.close(), reader.close()]);

    const against = (bare: readonly number[]): string =>
      [0.5, 0.99]
        .map(
          (share) =>
            `p${share * 100} ${(percentile(taken.ours, share) / percentile(bare, share)).toFixed(1)}×`,
        )
        .join(", ");
    const absolute = (values: readonly number[]): string =>
      `p50 ${ms(percentile(values, 0.5))}, p99 ${ms(percentile(values, 0.99))}`;
    return [
      {
        what: "Send to the reply of a `read_inbox` waiting in another process, against a bare publish-subscribe hop",
        store: store.name,
        value: against(taken.driver),
        beside: [
          absolute(taken.ours),
          `bare hop ${absolute(taken.driver)}`,
          `bare hop between two processes that take and give a line: ${absolute(taken.processes)}, against which ${against(taken.processes)}`,
        ].join("; "),
      },
    ];
  },
};

/**
 * The server handles lines in order, and begins a read before it answers what came after it; by the time it has
 * answered a few calls that do nothing, the read has looked and waits.
 */
export async function untilWaiting(reader: StdioClient): Promise<void> {
  await again(() => reader.call("bench_nothing"));
}

/** One after another, for as long as a read needs until it waits. */
async function again(call: () => Promise<unknown>): Promise<void> {
  const until = performance.now() + 15;
  while (performance.now() < until) await call();
}

/** After a rest, in which nobody who takes part has run, as where an agent waits for minutes. */
export const rested = (hop: Hop) => async (): Promise<number> => {
  await delay(restMs);
  return hop.once();
};

/** @param writing each of the two processes writes something into the store as well */
export async function hopBetweenProcesses(store: BenchStore, writing = false): Promise<HopBetweenProcesses> {
  const program = fileURLToPath(new URL("./hop.mjs", import.meta.url));
  const start = (role: string) =>
    spawn(process.execPath, [program, role, store.socketPath, ...(writing ? ["writing"] : [])], {
      stdio: ["pipe", "pipe", "inherit"],
    });
  const children = [start("hear"), start("say")] as const;
  const [hear, say] = children;
  const lines = createInterface({ input: hear.stdout });
  const ready = createInterface({ input: say.stdout });
  await Promise.all([once(lines, "line"), once(ready, "line")]);
  let n = 0;
  const echo = (child: typeof say, answers: typeof lines) => (): Promise<unknown> => {
    const answered = once(answers, "line");
    child.stdin.write("\n");
    return answered;
  };
  return {
    once: async () => {
      const heard = once(lines, "line");
      const from = performance.now();
      say.stdin.write(`${n++}\n`);
      await heard;
      return performance.now() - from;
    },
    keepBusy: async () => {
      await Promise.all([again(echo(hear, lines)), again(echo(say, ready))]);
    },
    close: () => {
      for (const child of children) child.stdin.end();
    },
  };
}

export async function hopInProcess(store: BenchStore): Promise<Hop> {
  const connect = () => new Redis({ path: store.socketPath, protocol: 2, disableClientInfo: true });
  const [say, hear] = [connect(), connect()];
  await hear.subscribe("bench-driver");
  return {
    once: async () => {
      const heard = once(hear, "message");
      const from = performance.now();
      say.publish("bench-driver", "1").catch(() => undefined);
      await heard;
      return performance.now() - from;
    },
    close: () => {
      say.disconnect();
      hear.disconnect();
    },
  };
}
