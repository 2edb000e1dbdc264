import type { ClientAction } from "./client-actions.js";
import { type ShellCommand, shellCommands, unknownPart } from "./shell-words.js";

/** One thing that a tool of a client is about to do, in the words of rules. */
export interface ToolStep {
  readonly action: ClientAction;
  /** Empty where it cannot be told. */
  readonly resource: string;
}

/** Paths of one command that are asked about one by one; of more, the step is asked about as a whole. */
const mostPaths = 50;
const mostSteps = 60;
/** Commands that start commands that start commands. */
const mostDeep = 5;

/** Commands before a command, and which of their options take a word of their own. */
const wrappers: Readonly<Record<string, readonly string[]>> = {
  sudo: ["-u", "-g", "-C", "-h", "-p"],
  doas: ["-u", "-C"],
  env: ["-u", "-C"],
  nice: ["-n"],
  ionice: ["-c", "-n", "-p"],
  timeout: ["-k", "-s"],
  xargs: ["-I", "-n", "-P", "-d", "-L", "-s", "-E", "-a"],
  stdbuf: ["-i", "-o", "-e"],
  nohup: [],
  time: [],
  command: [],
  builtin: [],
  exec: [],
};

const shells = new Set(["sh", "bash", "zsh", "dash", "ksh", "ash", "fish"]);
const databases = new Set([
  "psql",
  "mysql",
  "mariadb",
  "sqlite3",
  "sqlcmd",
  "duckdb",
  "clickhouse-client",
  "cqlsh",
]);

/**
 * What a shell command plainly does beside running: what it deletes, pushes, drops or fetches. Not all that it may do:
 * a program or a script can do anything, so that a rule about `shell.run` is the one that holds for every command.
 *
 * @param pathOf the name under which a path is known to rules
 */
export function shellSteps(text: string, pathOf: (path: string) => string): readonly ToolStep[] {
  const commands = shellCommands(text);
  const places = new Places(pathOf);
  const steps = commands.flatMap((command) => stepsOf(command, places, 0));
  if (commands.some(({ words }) => databases.has(nameOf(words)))) steps.push(...sqlSteps(text));
  const unique = new Map(steps.map((step) => [`${step.action} ${step.resource}`, step]));
  if (unique.size <= mostSteps) return [...unique.values()];
  return [...new Set(steps.map(({ action }) => action))].map((action) => ({ action, resource: "" }));
}

/** How paths of a command are named, wherever it went before. */
class Places {
  readonly #pathOf: (path: string) => string;
  #folder = "";
  #isLost = false;

  constructor(pathOf: (path: string) => string) {
    this.#pathOf = pathOf;
  }

  /** Goes to another folder, as `cd` does; a shell may come back from it unseen. */
  goTo(path: string | undefined): void {
    if (path === undefined || !isPlain(path)) this.#isLost = true;
    else this.#folder = `${path.startsWith("/") ? "" : this.#folder}${path}/`.replace(/\/+$/, "/");
  }

  /** By its own name and by that from the folder that was gone to; an empty one too where nobody can tell. */
  resources(path: string): readonly string[] {
    const elsewhere = this.#folder === "" || path.startsWith("/") ? [] : [this.#pathOf(this.#folder + path)];
    return [this.#pathOf(path), ...elsewhere, ...(this.#isLost ? [""] : [])];
  }
}

function stepsOf({ words, fed }: ShellCommand, places: Places, deep: number): ToolStep[] {
  const bare = unwrapped(words);
  const [, ...args] = bare;
  const name = nameOf(bare);
  const within = (text: string): ToolStep[] =>
    deep < mostDeep ? shellCommands(text).flatMap((inner) => stepsOf(inner, places, deep + 1)) : [];
  const on = (action: ClientAction, operands: readonly string[]): ToolStep[] =>
    stepsOn(action, operands, places);
  const plain = operandsOf(args);
  if (shells.has(name)) {
    const at = args.findIndex((arg) => /^-\w*c\w*$/.test(arg));
    return [...(at < 0 ? [] : within(args[at + 1] ?? "")), ...within(fed)];
  }
  switch (name) {
    case "eval":
      return within(args.join(" "));
    case "ssh":
      return within(behindOptions(args, sshValued).slice(1).join(" "));
    case "cd":
    case "pushd":
      places.goTo(plain[0]);
      return [];
    case "popd":
      places.goTo(undefined);
      return [];
    case "rm":
      return on(has(args, "rR", "--recursive") ? "directory.delete" : "file.delete", plain);
    case "unlink":
      return on("file.delete", plain);
    case "shred":
    case "truncate":
      return on("file.delete", operandsOf(withoutValues(args, ["-s", "-n", "-r", "--size", "--reference"])));
    case "rmdir":
      return on("directory.delete", plain);
    case "find":
      return findSteps(args, plain, places, deep);
    case "git":
      return gitSteps(args, places);
    case "dropdb":
      return [{ action: "db.drop", resource: "" }];
    case "curl":
    case "wget":
      return plain
        .filter((one) => /^https?:/i.test(one))
        .map((url) => ({ action: "web.fetch", resource: webResource(url) }));
    case "chmod":
    case "chown":
    case "setfacl":
      return on("access.grant", plain.slice(1));
    default:
      return [];
  }
}

/** What a page of the web is called in rules: its host and path, without what the query says. */
export function webResource(given: string): string {
  try {
    const { host, pathname } = new URL(given);
    return `${host}${pathname === "/" ? "" : pathname}`;
  } catch {
    return "";
  }
}

function unwrapped(words: readonly string[]): readonly string[] {
  let rest = words;
  for (let n = 0; n < mostDeep; n++) {
    let at = 0;
    while (/^[A-Za-z_]\w*=/.test(rest[at] ?? "") || /^(?:\{|!|then|do|else)$/.test(rest[at] ?? "")) at += 1;
    rest = rest.slice(at);
    const valued = wrappers[nameOf(rest)];
    if (!valued || !Object.hasOwn(wrappers, nameOf(rest))) return rest;
    const isTimeout = nameOf(rest) === "timeout";
    rest = behindOptions(rest.slice(1), valued).slice(isTimeout ? 1 : 0);
  }
  return rest;
}

function findSteps(
  args: readonly string[],
  operands: readonly string[],
  places: Places,
  deep: number,
): ToolStep[] {
  const roots = operands.slice(
    0,
    Math.max(
      args.findIndex((arg) => arg.startsWith("-")),
      0,
    ) || undefined,
  );
  if (args.includes("-delete")) return stepsOn("file.delete", roots.slice(0, 1), places);
  const at = args.findIndex((arg) => /^-(?:exec|execdir|ok|okdir)$/.test(arg));
  if (at < 0 || deep >= mostDeep) return [];
  const end = args.findIndex((arg, n) => n > at && (arg === ";" || arg === "+"));
  // Which files it finds only running it would tell.
  const inner = args.slice(at + 1, end < 0 ? undefined : end).map((arg) => arg.replaceAll("{}", unknownPart));
  return stepsOf({ words: inner, fed: "" }, places, deep + 1);
}

function gitSteps(given: readonly string[], places: Places): ToolStep[] {
  let at = 0;
  while (given[at]?.startsWith("-")) {
    if (given[at] === "-C") places.goTo(given[at + 1]);
    at += ["-C", "-c", "--git-dir", "--work-tree"].includes(given[at]!) ? 2 : 1;
  }
  const [verb, ...args] = given.slice(at);
  const operands = operandsOf(args);
  const whole = (action: ClientAction): ToolStep[] => [{ action, resource: "" }];
  switch (verb) {
    case "push": {
      const refs = operands.slice(1);
      const forces =
        has(args, "f", "--force", "--force-with-lease", "--mirror") ||
        refs.some((ref) => ref.startsWith("+"));
      const deletes = has(args, "d", "--delete", "--prune") || refs.some((ref) => /^\+?:/.test(ref));
      return [
        { action: "git.push", resource: "" },
        ...(forces ? whole("git.push_force") : []),
        ...(deletes ? whole("branch.delete") : []),
      ];
    }
    case "commit":
      return whole("git.commit");
    case "reset":
      return args.includes("--hard") ? whole("git.reset_hard") : [];
    case "clean":
      return has(args, "f", "--force") ? stepsOn("file.delete", operands, places) : [];
    case "rm":
      return stepsOn(has(args, "r") ? "directory.delete" : "file.delete", operands, places);
    case "branch":
      return has(args, "dD", "--delete") ? whole("branch.delete") : [];
    default:
      return [];
  }
}

function sqlSteps(text: string): ToolStep[] {
  return [
    ...(/\bdrop\s+(?:table|database|schema|view|index|keyspace)\b/i.test(text) ? ["db.drop" as const] : []),
    ...(/\b(?:truncate\s+\w|delete\s+from)\b/i.test(text) ? ["db.delete" as const] : []),
  ].map((action) => ({ action, resource: "" }));
}

function stepsOn(action: ClientAction, operands: readonly string[], places: Places): ToolStep[] {
  if (operands.length === 0 || operands.length > mostPaths || !operands.every(isPlain))
    return [{ action, resource: "" }];
  return operands.flatMap((path) => places.resources(path).map((resource) => ({ action, resource })));
}

/** Whether the path means one file, without the shell. */
function isPlain(path: string): boolean {
  return !/[*?[\]{}~]/.test(path) && !path.includes(unknownPart);
}

/** Options of ssh that take a word of their own. */
const sshValued: readonly string[] = [..."BbcDEeFIiJLlmOopQRSWw"].map((letter) => `-${letter}`);

function behindOptions(args: readonly string[], valued: readonly string[]): readonly string[] {
  let at = 0;
  while (args[at]?.startsWith("-")) at += valued.includes(args[at]!) ? 2 : 1;
  return args.slice(at);
}

function withoutValues(args: readonly string[], valued: readonly string[]): readonly string[] {
  return args.filter((_, n) => !valued.includes(args[n - 1] ?? ""));
}

/** Words that are no options; all of them behind `--`. */
function operandsOf(args: readonly string[]): readonly string[] {
  const end = args.indexOf("--");
  const before = (end < 0 ? args : args.slice(0, end)).filter((arg) => !arg.startsWith("-"));
  return end < 0 ? before : [...before, ...args.slice(end + 1)];
}

/** Whether one of the short options, also among others as in `-rf`, or of the long ones is there. */
function has(args: readonly string[], short: string, ...long: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).some((arg) =>
    /^-[A-Za-z]+$/.test(arg)
      ? [...short].some((letter) => arg.includes(letter))
      : long.some((one) => arg === one || arg.startsWith(`${one}=`)),
  );
}

/** The name of the program, wherever it lies. */
function nameOf(words: readonly string[]): string {
  return (words[0] ?? "").split("/").at(-1)!;
}
