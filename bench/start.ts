import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Measurement, ms, times } from "./finding.js";
import { inTurn, percentile, ratios, spread } from "./measure.js";
import { StdioClient } from "./stdio-client.js";
import type { BenchStore } from "./stores.js";

const ours = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const empty = fileURLToPath(new URL("./empty-server.mjs", import.meta.url));

/** From spawn to the first reply to `tools/list`, with the engine already running. */
export const start: Measurement = {
  name: "start",
  async measure(store, { quick }) {
    const [rounds, perRound] = quick ? [4, 1] : [12, 3];
    const { env, how, dispose } = await engineOf(store);
    const spawned = async (command: readonly string[]): Promise<number> => {
      const from = performance.now();
      const client = new StdioClient([process.execPath, ...command], env);
      await Promise.all([client.greet(), client.request("tools/list")]);
      const lasted = performance.now() - from;
      client.child.kill("SIGKILL");
      await once(client.child, "exit");
      return lasted;
    };
    const taken = { ours: [] as number[], empty: [] as number[] };
    const part = (into: number[], command: readonly string[]) => async (round: number) => {
      const lasted: number[] = [];
      for (let n = 0; n < perRound; n++) lasted.push(await spawned(command));
      if (round > 0) into.push(percentile(lasted, 0.5));
    };
    await inTurn(rounds + 1, [
      part(taken.empty, [empty]),
      part(taken.ours, [ours, "stdio", "--agent", "starter"]),
    ]);
    await dispose();
    const ratio = ratios(taken.ours, taken.empty);
    return [
      {
        what: "Spawn to the first `tools/list` reply, against an empty server of the same SDK",
        store: store.name,
        value: times(ratio),
        aim: "≤ 2",
        met: ratio.median <= 2,
        beside: `${how}; ${ms(spread(taken.ours).median)} against ${ms(spread(taken.empty).median)}`,
      },
    ];
  },
};

interface Running {
  readonly env: NodeJS.ProcessEnv;
  readonly how: string;
  dispose(): Promise<void>;
}

/**
 * The engine as a client finds it on its machine: in a data directory, kept by its supervisor. A server that syncs each
 * second is never started by us, so that one is reached by its address.
 */
async function engineOf(store: BenchStore): Promise<Running> {
  if (store.name === "redis everysec")
    return {
      env: { ...process.env, REDIS_URL: store.url, LLM_MAILBOX_ALLOW_UNVERIFIED: "1" },
      how: "by REDIS_URL",
      dispose: async () => {},
    };
  const dataDir = mkdtempSync(join(tmpdir(), "mailbox-start-"));
  const env = {
    ...process.env,
    LLM_MAILBOX_DATA_DIR: dataDir,
    LLM_MAILBOX_ENGINE: store.name === "embedded" ? "embedded" : "redis-server",
    LLM_MAILBOX_ENGINE_IDLE_SECONDS: "1",
  };
  const holder = new StdioClient([process.execPath, ours, "stdio", "--agent", "holder"], env);
  await holder.greet();
  return {
    env,
    how: "by its data directory",
    dispose: async () => {
      await holder.close();
      // The supervisor ends the engine when nobody has used it for a second, and takes its claim along.
      const claim = join(dataDir, "supervisor.lock");
      for (const until = Date.now() + 15_000; existsSync(claim) && Date.now() < until; ) await delay(100);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
