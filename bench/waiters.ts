import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Measurement } from "./finding.js";
import { HttpClient } from "./http-client.js";
import { serveOurs } from "./http-server.js";
import { atMost, percentile, residentBytesOf } from "./measure.js";
import { StdioClient } from "./stdio-client.js";
import type { BenchStore } from "./stores.js";

const waitSeconds = 50;
/** After so long the audit rows of calls are sealed and out of the way, which is the doing of the calls, not of whoever waits. */
const sealedAfterMs = 21_000;
const mib = 1024 * 1024;

/** Many agents that wait at one HTTP server: what they cost while nothing happens, and how soon all of them hear. */
export const waiters: Measurement = {
  name: "waiters",
  async measure(store, { quick, tell }) {
    const count = quick ? 100 : 1_000;
    const idleMs = quick ? 5_000 : 10_000;
    await allowBroadcast(store, "crier");
    const proxy = await countBetween(store);
    const server = await serveOurs(proxy.url);
    const crier = await StdioClient.open(store, "crier");
    const clients = Array.from({ length: count }, (_, n) => new HttpClient(server.url, `waiter${n}`));
    try {
      const first = new HttpClient(server.url, "first");
      await first.greet();
      await first.call("read_inbox");
      const residentBefore = residentBytesOf(server.pid);

      let from = performance.now();
      await atMost(50, count, async (n) => {
        await clients[n]!.greet();
        await clients[n]!.call("read_inbox");
      });
      tell(`  ${count} sessions took ${((performance.now() - from) / 1000).toFixed(1)} s`);
      await delay(sealedAfterMs);
      // The process looks after all mailboxes now and then, whether anybody waits or not: that is not the waiters' doing.
      const without = await proxy.during(idleMs);
      const heardAt: number[] = [];
      from = performance.now();
      const waiting = clients.map(async (client) => {
        const text = await client.call("read_inbox", { wait_seconds: waitSeconds });
        heardAt.push(performance.now());
        if (!text.includes("Fire drill")) throw new Error(`woken without the broadcast: ${text}`);
      });
      const all = Promise.all(waiting);
      all.catch(() => undefined);
      await proxy.untilQuiet();
      tell(`  all wait after ${((performance.now() - from) / 1000).toFixed(1)} s`);
      await delay(sealedAfterMs);
      const withAll = await proxy.during(idleMs);
      const resident = residentBytesOf(server.pid) - residentBefore;

      from = performance.now();
      const receipt = crier.call("send_message", { to: ["everyone"], body: "Fire drill at noon" });
      const answered = receipt.then(() => performance.now() - from);
      await all;
      const heard = heardAt.map((at) => at - from);
      const last = Math.max(...heard);
      const extra = total(withAll) - total(without);
      const atOnce = `${(idleMs / 1000).toFixed(0)} s`;
      return [
        {
          what: `${count} agents waiting at one HTTP server: store commands in ${atOnce} beyond those of the same agents not waiting`,
          store: store.name,
          value: `${extra}`,
          aim: "0 per waiter",
          met: extra < count / 20,
          beside: `waiting ${shown(withAll)}; not waiting ${shown(without)}`,
        },
        {
          what: `${count} agents waiting at one HTTP server: memory more`,
          store: store.name,
          value: `${(resident / mib).toFixed(0)} MiB`,
          aim: "≤ 150 MB",
          met: resident <= 150e6,
          beside: `${(resident / count / 1024).toFixed(0)} KiB each, session and connection included; resident before ${(residentBefore / mib).toFixed(0)} MiB`,
        },
        {
          what: `${count} agents waiting at one HTTP server: all woken by one broadcast`,
          store: store.name,
          value: `${(last / 1000).toFixed(2)} s`,
          aim: "≤ 2 s",
          met: last <= 2_000,
          beside: `first ${Math.min(...heard).toFixed(0)} ms, p50 ${percentile(heard, 0.5).toFixed(0)} ms; the sender's receipt ${(await answered).toFixed(0)} ms`,
        },
      ];
    } finally {
      HttpClient.closeAll();
      await crier.close();
      await server.close();
      proxy.close();
    }
  },
};

export type Counts = Readonly<Record<string, number>>;

export function total(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

export function shown(counts: Counts): string {
  return (
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ") || "none"
  );
}

/** Counts on the way to the store, because not every engine counts by itself. */
export async function countBetween(store: BenchStore): Promise<{
  readonly url: string;
  during(ms: number): Promise<Counts>;
  untilQuiet(): Promise<void>;
  close(): void;
}> {
  const path = `${store.socketPath}.counted`;
  const program = fileURLToPath(new URL("./counting-proxy.mjs", import.meta.url));
  const child = spawn(process.execPath, [program, path, store.socketPath], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  await once(lines, "line");
  const counts = async (): Promise<Counts> => {
    const answer = once(lines, "line");
    child.stdin.write("\n");
    return (JSON.parse(String((await answer)[0])) as { commands: Counts }).commands;
  };
  const during = async (ms: number): Promise<Counts> => {
    await counts();
    await delay(ms);
    return counts();
  };
  return {
    url: `unix://${path}`,
    during,
    untilQuiet: async () => {
      for (;;) if (total(await during(500)) < 50) return;
    },
    close: () => child.stdin.end(),
  };
}

/** As an operator does it: nobody may write to everyone without a grant. */
async function allowBroadcast(store: BenchStore, who: string): Promise<void> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL("../dist/main.js", import.meta.url)), "grants", "allow", who, "send", "everyone"],
    {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, REDIS_URL: store.url },
    },
  );
  const [status] = (await once(child, "exit")) as [number | null];
  if (status !== 0) throw new Error(`granting a broadcast ended with ${status}`);
}
