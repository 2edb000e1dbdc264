import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { inspectEngine } from "../redis/engine/index.js";
import { DemoAgent, type End } from "./demo-agent.js";
import { type Check, type Stage, type Step, tellStory } from "./demo-story.js";
import { tellLockStory } from "./lock-story.js";
import { printJson, printLine } from "./print.js";
import { endWith, terminal } from "./terminal.js";
import type { Switches } from "./with-house.js";

const longestMs = 90_000;
const engineStopsWithinMs = 15_000;
const colours: Readonly<Record<string, number>> = {
  demo: 90,
  planner: 36,
  bank: 36,
  ada: 35,
  ben: 32,
  cleo: 33,
};

/** What can be watched: a job that is handed over, or three agents that want to change one record. */
export const stories = ["mail", "locks"] as const;
export type Story = (typeof stories)[number];

const tell: Readonly<Record<Story, (stage: Stage) => Promise<Check[]>>> = {
  mail: tellStory,
  locks: tellLockStory,
};

/**
 * Agents with clients and processes of their own do a piece of work on a store of their own, and one of them is killed
 * while it holds the job, or the lock. Ends with what was verified; status 1 when something was not as it must be.
 */
export async function demo(story: Story, switches: Switches): Promise<void> {
  const stage = openStage(switches.json ? undefined : printStep);
  const checks: Check[] = [];
  let failure: Error | undefined;
  if (!switches.json)
    printLine(
      [
        "The agents share one store and nothing else. Each is a process of its own behind an MCP client.",
        `The store lives in ${stage.dataDir} and is removed at the end.`,
        "",
      ].join("\n"),
    );
  try {
    checks.push(...(await tell[story](stage)));
  } catch (error) {
    failure = error as Error;
  } finally {
    checks.push(await stage.close());
  }
  if (failure) checks.unshift({ holds: false, what: `the story was told to its end (${failure.message})` });
  const passed = checks.every(({ holds }) => holds);
  if (switches.json) printJson({ passed, steps: stage.steps, checks });
  else {
    printLine("\nVerified:");
    for (const { holds, what } of checks)
      printLine(`  ${coloured(holds ? "yes" : "NO ", holds ? 32 : 31)}  ${what}`);
    printLine(passed ? "\nAll of it holds." : "\nSomething does not hold.");
  }
  if (!passed) endWith(1);
}

function openStage(show: ((step: Step) => void) | undefined): Stage & { close(): Promise<Check> } {
  const dataDir = mkdtempSync(join(tmpdir(), "llm-mailbox-demo-"));
  const startedAt = Date.now();
  const steps: Step[] = [];
  const agents = new Set<DemoAgent>();
  const ends: End[] = [];
  const killAll = (): void => {
    for (const agent of agents) void agent.kill();
  };
  const tooLong = setTimeout(killAll, longestMs);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, killAll);
  return {
    dataDir,
    steps,
    enter: async (name) => {
      const command = [process.execPath, fileURLToPath(new URL("../main.js", import.meta.url))];
      const agent = DemoAgent.spawn(name, command, environment(dataDir));
      agents.add(agent);
      void agent.ended.then((end) => {
        agents.delete(agent);
        ends.push(end);
      });
      await agent.initialize();
      return agent;
    },
    say: (who, what) => {
      const step = { seconds: (Date.now() - startedAt) / 1000, who, what };
      steps.push(step);
      show?.(step);
    },
    pause: () => (show && terminal().stdout.isTTY ? delay(700) : Promise.resolve()),
    close: async () => {
      clearTimeout(tooLong);
      await Promise.all([...agents].map((agent) => leave(agent)));
      const stopped = await engineStopped(dataDir);
      rmSync(dataDir, { recursive: true, force: true });
      const orderly = ends.filter(({ code }) => code !== 0).length === 1;
      return {
        holds: stopped && orderly && !existsSync(dataDir),
        what: "all processes but the killed one ended in good order, the store stopped by itself, and its files are gone",
      };
    },
  };
}

async function leave(agent: DemoAgent): Promise<End> {
  const end = await Promise.race([agent.leave(), delay(8_000, undefined, { ref: false })]);
  return end ?? agent.kill();
}

/** The agents' own settings must not meet those of whoever watches: only the choice of the engine is taken over. */
function environment(dataDir: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(terminal().env).filter(
    ([name]) => !name.startsWith("LLM_MAILBOX_") && !name.startsWith("REDIS_URL"),
  );
  const { LLM_MAILBOX_ENGINE: engine } = terminal().env;
  return {
    ...Object.fromEntries(inherited),
    ...(engine ? { LLM_MAILBOX_ENGINE: engine } : {}),
    LLM_MAILBOX_DATA_DIR: dataDir,
    LLM_MAILBOX_ENGINE_IDLE_SECONDS: "1",
    LLM_MAILBOX_STRUCTURED: "1",
    LLM_MAILBOX_LOG_LEVEL: "error",
  };
}

/** The engine ends when nobody has been connected for a second; if it does not, it is told to. */
async function engineStopped(dataDir: string): Promise<boolean> {
  const until = Date.now() + engineStopsWithinMs;
  for (;;) {
    const { running, pulse } = await inspectEngine(dataDir, "auto");
    if (!running && pulse === "absent") return true;
    if (Date.now() > until) {
      if (running) process.kill(running.supervisor, "SIGTERM");
      return false;
    }
    await delay(50);
  }
}

function printStep({ seconds, who, what }: Step): void {
  const [first, ...more] = what.split("\n");
  printLine(`${seconds.toFixed(1).padStart(5)} s  ${coloured(who.padEnd(7), colours[who] ?? 0)}  ${first}`);
  for (const line of more) printLine(`${" ".repeat(18)}${line}`);
}

function coloured(text: string, colour: number): string {
  return terminal().stdout.isTTY && !terminal().env.NO_COLOR ? `\x1b[${colour}m${text}\x1b[0m` : text;
}
