import { AsyncLocalStorage } from "node:async_hooks";
import { resolve } from "node:path";
import type { Readable, Writable } from "node:stream";

/** Where a command line is typed: what its commands find around them, and write to. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  /** What relative paths begin from. */
  readonly folder: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable;
}

/** How a command line ended. */
export interface End {
  readonly status: number;
  /** Whether something may be open still that nobody is to wait for. */
  readonly atOnce: boolean;
}

/** Read when it is asked for: a command that needs no standard input does not open it. */
const ofThisProcess: Terminal = {
  env: process.env,
  get folder() {
    return process.cwd();
  },
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return process.stdout;
  },
  get stderr() {
    return process.stderr;
  },
};

interface CommandLine {
  readonly terminal: Terminal;
  status: number;
  leave(): void;
}

const lines = new AsyncLocalStorage<CommandLine>();
/** Kept beside the storage, which once used makes every promise of a process three times as dear: servers run here too. */
let lineOfThisProcess: CommandLine | undefined;

/** Does the work of one command line in a terminal, by default in that of this process, which has no other then. */
export async function inTerminal(terminal: Terminal | undefined, work: () => Promise<void>): Promise<End> {
  let leave = (): void => {};
  const left = new Promise<void>((done) => {
    leave = done;
  });
  const line: CommandLine = { terminal: terminal ?? ofThisProcess, status: 0, leave };
  const ended = async (): Promise<boolean> => {
    await work();
    return false;
  };
  if (!terminal) lineOfThisProcess = line;
  const atOnce = await Promise.race([terminal ? lines.run(line, ended) : ended(), left.then(() => true)]);
  return { status: line.status, atOnce };
}

function line(): CommandLine {
  const found = lines.getStore() ?? lineOfThisProcess;
  if (!found) throw new Error("no command line is being run");
  return found;
}

/** The terminal of the command that asks. */
export function terminal(): Terminal {
  return line().terminal;
}

/** Where a path that was typed leads. */
export function fromFolder(path: string): string {
  return resolve(terminal().folder, path);
}

/** Sets the status with which the command that asks will end. */
export function endWith(status: number): void {
  line().status = status;
}

/** Ends the command line now, whatever of it is still going on. */
export function leave(status: number): void {
  const left = line();
  left.status = status;
  left.leave();
}
