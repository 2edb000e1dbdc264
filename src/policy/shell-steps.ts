import { decodedPath } from "./canonical-resource.js";
import type { ClientAction } from "./client-actions.js";
import { patchedFiles } from "./patched-files.js";
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
/** Texts of commands in texts of commands. */
const mostDeep = 5;

/** A command before a command: which of its options take a word of their own, and how many words follow them. */
interface Wrapper {
  readonly valued: readonly string[];
  readonly operands?: number;
}

const wrappers: Readonly<Record<string, Wrapper>> = {
  sudo: {
    valued: options(
      "u user g group C close-from D chdir h host p prompt R chroot r role t type T command-timeout U other-user",
    ),
  },
  doas: { valued: options("u C a") },
  env: { valued: options("u unset C chdir") },
  nice: { valued: options("n adjustment") },
  ionice: { valued: options("c class n classdata p pid P pgid u uid") },
  timeout: { valued: options("k kill-after s signal"), operands: 1 },
  xargs: {
    valued: options("I n max-args P max-procs d delimiter L s max-chars E a arg-file process-slot-var J R S"),
  },
  stdbuf: { valued: options("i input o output e error") },
  time: { valued: options("f format o output") },
  exec: { valued: options("a") },
  flock: { valued: options("w wait timeout E conflict-exit-code"), operands: 1 },
  chroot: { valued: options("userspec groups"), operands: 1 },
  nohup: { valued: [] },
  setsid: { valued: [] },
  busybox: { valued: [] },
  command: { valued: [] },
  builtin: { valued: [] },
  coproc: { valued: [] },
};

/** Words of the shell after which a command begins. */
const keywords = new Set(["{", "!", "if", "then", "elif", "else", "while", "until", "do"]);

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
  const steps = stepsOfAll(commands, places, 0);
  if (commands.some(({ words }) => databases.has(nameOf(words)))) steps.push(...sqlSteps(text));
  const unique = new Map(steps.map((step) => [`${step.action} ${step.resource}`, step]));
  if (unique.size <= mostSteps) return [...unique.values()];
  return [...new Set(steps.map(({ action }) => action))].map((action) => ({ action, resource: "" }));
}

/**
 * What a patch writes and deletes; where it names no file, something is written of which nobody can tell what.
 *
 * @param resourcesOf the names under which a path is known to rules
 */
export function patchSteps(
  patch: string,
  resourcesOf: (path: string) => readonly string[],
): readonly [ToolStep, ...ToolStep[]] {
  const { written, deleted } = patchedFiles(patch);
  const on = (action: ClientAction, paths: readonly string[]): ToolStep[] =>
    paths.length > mostPaths || paths.some((path) => path.includes(unknownPart))
      ? [{ action, resource: "" }]
      : paths.flatMap(resourcesOf).map((resource) => ({ action, resource }));
  const [first = { action: "file.write", resource: "" }, ...rest] = [
    ...on("file.write", written),
    ...on("file.delete", deleted),
  ];
  return [first, ...rest];
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
    const elsewhere = this.#folder === "" || /^[/~]/.test(path) ? [] : [this.#pathOf(this.#folder + path)];
    return [this.#pathOf(path), ...elsewhere, ...(this.#isLost ? [""] : [])];
  }
}

/** What is printed into a pipe may be commands, for a shell at its end. */
function stepsOfAll(commands: readonly ShellCommand[], places: Places, deep: number): ToolStep[] {
  let printed = "";
  let isPiped = false;
  return commands.flatMap((command) => {
    const bare = unwrapped(command.words);
    const name = nameOf(bare);
    const isFed = isPiped && readsCommands(name);
    const steps = stepsOf({ ...command, fed: `${command.fed}${isFed ? printed : ""}` }, places, deep);
    if (isFed) printed = "";
    if (name === "echo" || name === "printf") printed += `${bare.slice(1).join(" ").replace(/\\n/g, "\n")}\n`;
    if (command.isPiped) printed += command.fed;
    isPiped = command.isPiped;
    return steps;
  });
}

function readsCommands(name: string): boolean {
  return shells.has(name) || name === "ssh" || name === "source" || name === ".";
}

function stepsOf({ words, fed }: ShellCommand, places: Places, deep: number): ToolStep[] {
  const bare = unwrapped(words);
  const [, ...args] = bare;
  const name = nameOf(bare);
  const within = (text: string): ToolStep[] =>
    deep < mostDeep ? stepsOfAll(shellCommands(text), places, deep + 1) : [];
  const on = (action: ClientAction, operands: readonly string[]): ToolStep[] =>
    stepsOn(action, operands, places);
  const plain = operandsOf(args);
  if (shells.has(name)) return [...within(commandOf(args)), ...within(fed)];
  switch (name) {
    case "eval":
      return within(args.slice(args[0] === "--" ? 1 : 0).join(" "));
    case "source":
    case ".":
      return within(fed);
    case "trap":
      return within(plain[0] ?? "");
    case "su":
    case "runuser":
      return [...within(optionValue(args, "-c", "--command")), ...within(fed)];
    case "env":
      return within(optionValue(args, "-S", "--split-string"));
    case "ssh":
      return [...within(behindOptions(args, sshValued).slice(1).join(" ")), ...within(fed)];
    case "cd":
    case "pushd":
      places.goTo(plain[0]);
      return [];
    case "popd":
      places.goTo(undefined);
      return [];
    case "apply_patch":
    case "applypatch":
      return [...patchSteps(`${args.join("\n")}\n${fed}`, (path) => places.resources(path))];
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
      return findSteps(args, places, deep);
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
    return `${host.replace(/\.(?=:|$)/, "")}${pathname === "/" ? "" : decodedPath(pathname)}`;
  } catch {
    return "";
  }
}

/** A command without what stands before it; behind xargs with a word more, for what it is given. */
function unwrapped(words: readonly string[]): readonly string[] {
  let at = 0;
  let isGiven = false;
  for (;;) {
    while (/^[A-Za-z_]\w*\+?=/.test(words[at] ?? "") || keywords.has(words[at] ?? "")) at += 1;
    const name = nameOf(words, at);
    if (name === "function") {
      at += 2;
      continue;
    }
    const wrapper = Object.hasOwn(wrappers, name) ? wrappers[name]! : undefined;
    if (!wrapper) break;
    // A command in one word is looked into as that of a shell is.
    if (name === "env" && optionValue(words.slice(at, at + mostOptions), "-S", "--split-string") !== "")
      break;
    at = optionsEnd(words, at + 1, wrapper.valued) + (wrapper.operands ?? 0);
    isGiven ||= name === "xargs";
  }
  const rest = at === 0 ? words : words.slice(at);
  return isGiven ? [...rest, unknownPart] : rest;
}

/** What a shell is told to run by `-c`: the first word that is no option. */
function commandOf(args: readonly string[]): string {
  const end = optionsEnd(args, 0, shellValued);
  const hasCommand = args.slice(0, end).some((arg) => /^-\w*c\w*$/.test(arg));
  return hasCommand ? (args[end] ?? "") : "";
}

/** Options of find that stand before the paths, and end where the paths begin. */
const findOptions = /^-(?:[HLP]|O\d*|D)$/;

function findSteps(args: readonly string[], places: Places, deep: number): ToolStep[] {
  let from = 0;
  while (findOptions.test(args[from] ?? "")) from += args[from] === "-D" ? 2 : 1;
  const end = args.findIndex((arg, n) => n >= from && /^(?:-|[(),!]$)/.test(arg));
  const steps = args.includes("-delete")
    ? stepsOn("file.delete", args.slice(from, end < 0 ? undefined : end), places)
    : [];
  if (deep >= mostDeep) return steps;
  for (let at = 0; at < args.length; at++) {
    if (!/^-(?:exec|execdir|ok|okdir)$/.test(args[at]!)) continue;
    let stop = at + 1;
    while (stop < args.length && args[stop] !== ";" && args[stop] !== "+") stop += 1;
    // Which files it finds only running it would tell.
    const inner = args.slice(at + 1, stop).map((arg) => arg.replaceAll("{}", unknownPart));
    steps.push(...stepsOf({ words: inner, fed: "", isPiped: false }, places, deep + 1));
    at = stop;
  }
  return steps;
}

function gitSteps(given: readonly string[], places: Places): ToolStep[] {
  let at = 0;
  while (given[at]?.startsWith("-")) {
    if (given[at] === "-C") places.goTo(given[at + 1]);
    at += gitValued.includes(given[at]!) ? 2 : 1;
  }
  const [verb, ...args] = given.slice(at);
  const operands = operandsOf(args);
  const whole = (action: ClientAction): ToolStep[] => [{ action, resource: "" }];
  switch (verb) {
    case "push": {
      // The first of them may be the remote, whose name begins with neither.
      const forces =
        has(args, "f", "--force", "--force-with-lease", "--mirror") ||
        operands.some((ref) => ref.startsWith("+"));
      const deletes = has(args, "d", "--delete", "--prune") || operands.some((ref) => /^\+?:./.test(ref));
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
  const paths = operands.slice(0, mostPaths + 1).map(patternOf);
  if (paths.length === 0 || paths.length > mostPaths || paths.includes(undefined))
    return [{ action, resource: "" }];
  return paths.flatMap((path) => places.resources(path!).map((resource) => ({ action, resource })));
}

/** A path as rules know paths and patterns of them; undefined where only the shell could tell what it means. */
function patternOf(path: string): string | undefined {
  if (/[{}]/.test(path) || path.includes(unknownPart)) return undefined;
  const levels = path.replaceAll("?", "*").split("/");
  return levels.map((level) => (level.includes("[") ? "*" : level)).join("/");
}

/** Whether the path means one folder, without the shell. */
function isPlain(path: string): boolean {
  return !/[*?[\]{}~]/.test(path) && !path.includes(unknownPart);
}

/** Options of ssh that take a word of their own. */
const sshValued = [..."BbcDEeFIiJLlmOopQRSWw"].map((letter) => `-${letter}`);
const shellValued = ["-o", "-O", "+o", "+O", "--rcfile", "--init-file"];
const gitValued = ["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env", "--attr-source"];

/** Words of a command among which its options are looked for, where only they matter. */
const mostOptions = 50;

/** Names of options with their dashes: one for a letter, two for a word. */
function options(names: string): readonly string[] {
  return names.split(" ").map((name) => (name.length === 1 ? `-${name}` : `--${name}`));
}

function behindOptions(args: readonly string[], valued: readonly string[]): readonly string[] {
  return args.slice(optionsEnd(args, 0, valued));
}

/** Where the first word stands that is neither an option nor the value of one. */
function optionsEnd(args: readonly string[], from: number, valued: readonly string[]): number {
  let at = from;
  while (/^[-+]./.test(args[at] ?? "") && args[at] !== "--") at += takesNext(args[at]!, valued) ? 2 : 1;
  return args[at] === "--" ? at + 1 : at;
}

/** Of letters together, the first that takes a value takes the others, or the next word where there are none. */
function takesNext(option: string, valued: readonly string[]): boolean {
  if (option.startsWith("--") || option.startsWith("+"))
    return valued.some((one) => one === option || (option.length > 4 && one.startsWith(option)));
  const letters = option.slice(1);
  const first = [...letters].findIndex((letter) => valued.includes(`-${letter}`));
  return first >= 0 && first === letters.length - 1;
}

/** The value of an option in either of its forms; empty without one. */
function optionValue(args: readonly string[], short: string, long: string): string {
  const at = args.findIndex((arg) => arg.startsWith(short) || arg === long || arg.startsWith(`${long}=`));
  if (at < 0) return "";
  const arg = args[at]!;
  if (arg === short || arg === long) return args[at + 1] ?? "";
  return arg.startsWith(`${long}=`) ? arg.slice(long.length + 1) : arg.slice(short.length);
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

/** Whether one of the short options, also among others as in `-rf`, or of the long ones, also cut short, is there. */
function has(args: readonly string[], short: string, ...long: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).some((arg) =>
    /^-[A-Za-z]+$/.test(arg)
      ? [...short].some((letter) => arg.includes(letter))
      : arg.length > 2 && long.some((one) => one.startsWith(arg.split("=", 1)[0]!)),
  );
}

/** The name of the program, wherever it lies. */
function nameOf(words: readonly string[], at = 0): string {
  return (words[at] ?? "").split("/").at(-1)!;
}
