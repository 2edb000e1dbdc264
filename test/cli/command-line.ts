import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { run } from "../../src/cli/run.js";
import { type House, openHouse } from "../../src/compose.js";
import { readConfig } from "../../src/config/index.js";
import { type Caller, localPrincipal } from "../../src/identity/index.js";
import type { Inbox, SendReceipt } from "../../src/mailbox/index.js";
import { openLog } from "../../src/observability/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { Paper } from "./paper.js";

/** The built executable, as people and programs call it. */
export const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

export interface Ended {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command in this process, with these settings and no others. */
export function runWith(settings: Record<string, string>, ...args: readonly string[]): Promise<Ended> {
  return runOn("", settings, ...args);
}

/** The same with something on its standard input. */
export function runOn(
  input: string,
  settings: Record<string, string>,
  ...args: readonly string[]
): Promise<Ended> {
  return runIn(process.cwd(), input, settings, ...args);
}

/** The same in a folder. */
export async function runIn(
  folder: string,
  input: string,
  settings: Record<string, string>,
  ...args: readonly string[]
): Promise<Ended> {
  const { status, out, err } = await runForBytes(folder, input, settings, ...args);
  return { status, out: out.toString(), err: err.toString() };
}

/** The same, and what it wrote byte for byte. What a command writes after it has ended is nobody's. */
export async function runForBytes(
  folder: string,
  input: string,
  settings: Record<string, string>,
  ...args: readonly string[]
): Promise<{ readonly status: number; readonly out: Buffer; readonly err: Buffer }> {
  const [out, err] = [new Paper(), new Paper()];
  const env = { PATH: process.env.PATH!, HOME: process.env.HOME!, ...settings };
  const { status } = await run(args, {
    env,
    folder,
    stdin: Readable.from([Buffer.from(input)]),
    stdout: out,
    stderr: err,
  });
  return { status, out: out.bytes(), err: err.bytes() };
}

/** Runs one command as people and programs do: the built executable, in a process of its own. */
export function spawnWith(settings: Record<string, string>, ...args: readonly string[]): Promise<Ended> {
  return spawnOn("", settings, ...args);
}

/** The same with something on its standard input. */
export function spawnOn(
  input: string,
  settings: Record<string, string>,
  ...args: readonly string[]
): Promise<Ended> {
  return spawnIn(process.cwd(), input, settings, ...args);
}

/** The same in a folder. */
export function spawnIn(
  cwd: string,
  input: string,
  settings: Record<string, string>,
  ...args: readonly string[]
): Promise<Ended> {
  return new Promise((resolve) => {
    const { stdin } = execFile(
      process.execPath,
      [main, ...args],
      {
        cwd,
        env: { PATH: process.env.PATH!, HOME: process.env.HOME!, ...settings },
        maxBuffer: 16 * 1024 * 1024,
        timeout: 25_000,
      },
      (error, out, err) => resolve({ status: Number(error?.code ?? 0), out, err }),
    );
    // A command that does not read may be gone before this is written.
    stdin?.on("error", () => undefined);
    stdin?.end(input);
  });
}

const going = new Set<ChildProcessWithoutNullStreams>();
process.on("exit", () => {
  for (const child of going) child.kill("SIGKILL");
});

/** A command that goes on by itself, with this process at the longest, and what it has printed so far. */
export function startWith(
  settings: Record<string, string>,
  ...args: readonly string[]
): { child: ChildProcessWithoutNullStreams; until(text: string | RegExp): Promise<string> } {
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env.PATH!, HOME: process.env.HOME!, ...settings },
  });
  going.add(child);
  child.once("exit", () => going.delete(child));
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    child.emit("printed");
  });
  return {
    child,
    until: (wanted) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (typeof wanted === "string" ? !out.includes(wanted) : !wanted.test(out)) return;
          child.off("printed", look);
          resolve(out);
        };
        child.on("printed", look);
        child.once("exit", () => reject(new Error(`it ended without printing ${wanted}:\n${out}`)));
        look();
      }),
  };
}

/** A namespace of its own on a store, with agents in this process and the command line beside them. */
export interface Office {
  readonly house: House;
  readonly settings: Record<string, string>;
  /** Runs a command in this process. */
  run(...args: readonly string[]): Promise<Ended>;
  /** Runs it as the built executable, in a process of its own. */
  spawn(...args: readonly string[]): Promise<Ended>;
  /** The parsed output of a command that must succeed. */
  json<T>(...args: readonly string[]): Promise<T>;
  as(agent: string): Promise<Agent>;
  close(): Promise<void>;
}

export interface Agent {
  readonly caller: Caller;
  send(to: string, body: string, more?: object): Promise<SendReceipt>;
  /** Reads, and lets the reply arrive. */
  read(input?: object): Promise<Inbox>;
  ack(id: string, outcome: "done" | "retry" | "reject", reason?: string): Promise<void>;
  follow(pattern: string): Promise<void>;
  end(): Promise<void>;
}

export async function openOffice(url: string): Promise<Office> {
  const settings = {
    REDIS_URL: url,
    LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
    LLM_MAILBOX_NAMESPACE: newNamespace(),
  };
  const config = readConfig(settings);
  const house = await openHouse(config, openLog("silent"), { seal: { everyMs: 3_600_000 } });
  const { rooms } = house;
  return {
    house,
    settings,
    run: (...args) => runWith(settings, ...args),
    spawn: (...args) => spawnWith(settings, ...args),
    json: async <T>(...args: readonly string[]) => {
      const ended = await runWith(settings, ...args, "--json");
      if (ended.status !== 0 || ended.err !== "")
        throw new Error(`${args.join(" ")} ended with ${ended.status}: ${ended.err}`);
      return JSON.parse(ended.out) as T;
    },
    as: async (name) => {
      const caller = await rooms.runs.begin(localPrincipal(config.namespace, name));
      return {
        caller,
        send: (to, body, more) => rooms.mail.sendMessage(caller, { to: [to], body, ...more }),
        read: async (input = {}) => {
          const inbox = await rooms.mail.readInbox(caller, input, { maxChars: 10_500 });
          if (inbox.batch) rooms.mail.confirm(caller, inbox.batch, true);
          return inbox;
        },
        ack: async (id, outcome, reason) => {
          const { results } = await rooms.mail.ackMessages(caller, {
            ids: [id],
            outcome,
            ...(reason ? { reason } : {}),
          });
          if (results[0]?.refusal) throw new Error(results[0].refusal.message);
        },
        follow: async (topic) => void (await rooms.topics.subscribeTopic(caller, { topic })),
        end: () => rooms.runs.end(caller),
      };
    },
    close: () => house.close(),
  };
}
