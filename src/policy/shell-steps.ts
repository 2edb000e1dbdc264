import type { ClientAction } from "./client-actions.js";
import { cmdletDeeds } from "./cmdlet-deeds.js";
import { has, operandsOf, options, optionsEnd, optionValue } from "./command-options.js";
import { fetchedPages } from "./fetched-pages.js";
import type { FileDeed } from "./file-deed.js";
import { patchedFiles } from "./patched-files.js";
import { anything, mostPaths, type PathSense, Places, stepsOn, unknownOf } from "./places.js";
import { listSeparator, powershellCommands } from "./powershell-words.js";
import { savedPages } from "./saved-pages.js";
import { keywords, type ShellCommand, shellCommands, unescaped, unknownPart } from "./shell-words.js";
import type { ToolStep } from "./tool-step.js";
import { writtenFiles } from "./written-files.js";

const mostSteps = 60;
/** Texts of commands in texts of commands. */
const mostDeep = 5;

/** A command before a command: which of its options take a word of their own, and how many words follow them. */
interface Wrapper {
  readonly valued: readonly string[];
  readonly operands?: number;
  /** Those that name the folder in which the command is run. */
  readonly folder?: readonly string[];
}

const wrappers: Readonly<Record<string, Wrapper>> = {
  sudo: {
    valued: options(
      "u user g group C close-from D chdir h host p prompt R chroot r role t type T command-timeout U other-user",
    ),
    folder: options("D chdir"),
  },
  doas: { valued: options("u C a") },
  env: { valued: options("u unset C chdir S split-string"), folder: options("C chdir") },
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

const shells = new Set(["sh", "bash", "zsh", "dash", "ksh", "ash", "fish"]);
const powershells = new Set(["pwsh", "powershell"]);
const patchers = new Set(["apply_patch", "applypatch"]);
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
 * What a shell command plainly does beside running: what it writes, deletes, pushes, drops or fetches. Not all that it may do:
 * a program or a script can do anything, so that a rule about `shell.run` is the one that holds for every command.
 *
 * @param pathOf the name under which a path is known to rules
 * @param read the commands of the text, for the shell that it is given to
 */
export function shellSteps(
  text: string,
  pathOf: (path: string) => string,
  read = shellCommands,
): readonly ToolStep[] {
  const commands = read(text);
  const steps = stepsOfAll(text, commands, new Places(pathOf), 0);
  if (commands.some(({ words }) => databases.has(nameOf(words)))) steps.push(...sqlSteps(text));
  const unique = new Map(steps.map((step) => [`${step.action} ${step.resource}`, step]));
  if (unique.size <= mostSteps) return [...unique.values()];
  // Too many to ask about: all there is, so that what forbids any of them is met.
  const named = new Map<ClientAction, boolean>();
  for (const { action, resource } of steps) named.set(action, named.get(action) || resource !== "");
  return [...named].map(([action, isNamed]) => ({ action, resource: isNamed ? anything : "" }));
}

/**
 * What a patch writes and deletes; where it names no file, something is written of which nobody can tell what.
 *
 * @param resourcesOf the names under which a path is known to rules
 */
export function patchSteps(
  patch: string,
  resourcesOf: (path: string, action: ClientAction) => readonly string[],
): readonly [ToolStep, ...ToolStep[]] {
  const { written, deleted } = patchedFiles(patch);
  const on = (action: ClientAction, paths: readonly string[]): ToolStep[] => {
    const plain = paths.filter((path) => !path.includes(unknownPart));
    if (paths.length > mostPaths) return [{ action, resource: anything }];
    const known = plain.flatMap((path) =>
      resourcesOf(path, action).map((resource) => ({ action, resource })),
    );
    return plain.length < paths.length ? [...known, { action, resource: unknownOf(action) }] : known;
  };
  const [first = { action: "file.write", resource: "" }, ...rest] = [
    ...on("file.write", hasUnknownLine.test(patch) ? [...written, unknownPart] : written),
    ...on("file.delete", deletesUnknown.test(patch) ? [...deleted, unknownPart] : deleted),
  ];
  return [first, ...rest];
}

/** A line of a patch of which only the shell could tell whether it names a file. */
const hasUnknownLine = /^[ \t]*(?:\*\*\* [^:\n]*)?\0/m;
const deletesUnknown = /^[ \t]*\*\*\* [^:\n]*\0/m;

/**
 * What is printed into a pipe may be commands, for a shell at its end.
 *
 * @param text in which the commands stand
 */
function stepsOfAll(
  text: string,
  commands: readonly ShellCommand[],
  places: Places,
  deep: number,
): ToolStep[] {
  let printed = "";
  let isPiped = false;
  return commands.flatMap((command) => {
    const { words: bare } = unwrapped(command.words);
    const name = nameOf(bare);
    const isFed = isPiped && readsCommands(name);
    const steps = stepsOf({ ...command, fed: `${command.fed}${isFed ? printed : ""}` }, places, deep, text);
    if (isFed) printed = "";
    if (name === "echo" || name === "printf") printed += `${printedBy(name, bare.slice(1))}\n`;
    if (command.isPiped) printed += command.fed;
    isPiped = command.isPiped;
    return steps;
  });
}

/** What `echo` prints, with and without what it may make of backslashes, and what `printf` does. */
function printedBy(name: "echo" | "printf", args: readonly string[]): string {
  if (name === "echo") {
    const from = args.findIndex((arg) => !/^-[neE]+$/.test(arg));
    const said = from < 0 ? "" : args.slice(from).join(" ");
    return said.includes("\\") ? `${said}\n${unescaped(said)}` : said;
  }
  const [format = "", ...values] = args[0] === "--" ? args.slice(1) : args;
  const texts: string[] = [];
  let next = 0;
  do {
    const from = next;
    const filled = unescaped(format).replace(/%(%|[-+ #0]*\d*(?:\.\d+)?[A-Za-z])/g, (_, kind: string) =>
      kind === "%" ? "%" : (values[next++] ?? ""),
    );
    texts.push(filled);
    if (next === from) break;
  } while (next < values.length && texts.length < mostTexts);
  return [...texts, ...values.slice(next).map((value) => `\n${value}`)].join("");
}

/** Times that a format is filled. */
const mostTexts = 1_000;

function readsCommands(name: string): boolean {
  return (
    shells.has(name) ||
    powershells.has(name) ||
    patchers.has(name) ||
    name === "ssh" ||
    name === "source" ||
    name === "."
  );
}

function stepsOf(command: ShellCommand, from: Places, deep: number, text: string): ToolStep[] {
  const { writes, isOfPowershell } = command;
  const paths = isOfPowershell ? writes.map((path) => path.replaceAll("\\", "/")) : writes;
  const redirected = stepsOfDeeds([{ action: "file.write", paths }], from);
  const run = isOfPowershell ? stepsOfCmdlet : stepsOfProgram;
  return [...run(command, from, deep, text), ...redirected];
}

/** A command of PowerShell, which knows some of its own and runs programs as every shell does. */
function stepsOfCmdlet(command: ShellCommand, places: Places, deep: number, text: string): ToolStep[] {
  const [first = "", ...more] = command.words;
  const [given = "", ...args] = /^(?:return|\.)$/i.test(first) ? more : [first, ...more];
  const name = nameOf([given.replaceAll("\\", "/").toLowerCase()]);
  const told = cmdletDeeds(name, args);
  if (told) {
    const pages = fetchedPages("curl", ["--", ...told.addresses]);
    return [
      ...pages.map((resource) => ({ action: "web.fetch", resource }) as const),
      ...stepsOfDeeds(told.files, places),
    ];
  }
  if (name === "invoke-expression" || name === "iex") {
    const inner = operandsOf(args).join(" ");
    return deep < mostDeep ? stepsOfAll(inner, powershellCommands(inner), places, deep + 1) : [];
  }
  const words = args.flatMap((arg) => arg.split(listSeparator));
  const isText = shells.has(name) || powershells.has(name) || name === "ssh";
  const slashed = isText ? words : words.map((word) => word.replaceAll("\\", "/"));
  return stepsOfProgram({ ...command, words: [otherNames[name] ?? name, ...slashed] }, places, deep, text);
}

const otherNames: Readonly<Record<string, string>> = {
  "set-location": "cd",
  sl: "cd",
  chdir: "cd",
  "push-location": "pushd",
  "pop-location": "popd",
};

/** What PowerShell is told to run: all that stands behind `-Command`, which its older program need not be told. */
function commandOfPowershell(name: string, args: readonly string[]): string {
  const at = args.findIndex((arg) => /^[-/]c(?:o(?:m(?:m(?:a(?:nd?)?)?)?)?)?$/i.test(arg));
  if (at >= 0) return args.slice(at + 1).join(" ");
  let from = 0;
  while (/^[-/]/.test(args[from] ?? "")) from += /^.(?:e|v|w|i|o|ps|set)/i.test(args[from]!) ? 2 : 1;
  return name === "pwsh" || args.slice(0, from).some((arg) => /^.f/i.test(arg))
    ? ""
    : args.slice(from).join(" ");
}

function stepsOfDeeds(deeds: readonly FileDeed[], places: Places): ToolStep[] {
  return deeds.flatMap(({ action, paths: given, ...sense }) => {
    const paths = action === "file.write" ? given.filter((path) => !isStream.test(path)) : given;
    return paths.length === 0 ? [] : stepsOn(action, paths, places, sense);
  });
}

/** What is called like a file, and keeps nothing of what is written to it. */
const isStream = /^\/dev\/(?:null|stdout|stderr|tty|fd\/\d+)$/;

function stepsOfProgram({ words, fed }: ShellCommand, from: Places, deep: number, text: string): ToolStep[] {
  const { words: bare, folders } = unwrapped(words);
  const places = from.in(folders);
  const [, ...args] = bare;
  const name = nameOf(bare);
  const within = (inner: string, read = shellCommands): ToolStep[] =>
    deep < mostDeep ? stepsOfAll(inner, read(inner), places, deep + 1) : [];
  const on = (action: ClientAction, operands: readonly string[], sense?: PathSense): ToolStep[] =>
    stepsOn(action, operands, places, sense);
  const plain = operandsOf(args);
  if (shells.has(name)) return [...within(commandOf(args)), ...within(fed)];
  if (powershells.has(name))
    return [commandOfPowershell(name, args), fed].flatMap((inner) => within(inner, powershellCommands));
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
      return [...within(suCommand(args)), ...within(fed)];
    case "env":
      return within(`env ${splitByEnv(args) ?? ""} ${args.slice(optionsEnd(args, 0, envValued)).join(" ")}`);
    case "ssh":
      return [...within(args.slice(optionsEnd(args, 0, sshValued) + 1).join(" ")), ...within(fed)];
    case "cd":
    case "pushd":
      places.goTo(plain[0]);
      return [];
    case "popd":
      places.goTo(undefined);
      return [];
    case "apply_patch":
    case "applypatch":
      return patchedBy(args, fed, places, text);
    case "rm":
      return on(has(args, "rR", "--recursive") ? "directory.delete" : "file.delete", plain);
    case "unlink":
      return on("file.delete", plain);
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
      return [
        ...fetchedPages(name, args).map((resource) => ({ action: "web.fetch", resource }) as const),
        ...stepsOfDeeds([savedPages(name, args)], places),
      ];
    case "chmod":
    case "chown":
      return on("access.grant", changedBy(args), { takesAll: has(args, "R", "--recursive") });
    case "setfacl":
      return on("access.grant", operandsOf(args, aclValued), { takesAll: has(args, "R", "--recursive") });
    default:
      return args[0] === "--codex-run-as-apply-patch"
        ? patchedBy(args, fed, places, text)
        : stepsOfDeeds(writtenFiles(name, args), places);
  }
}

/**
 * What a patch does that a command is told or fed. Where the shell had a part in it, names are read as they are written too:
 * Codex takes a here-document so, and what a variable holds may stand elsewhere in the text.
 */
function patchedBy(args: readonly string[], fed: string, places: Places, text: string): ToolStep[] {
  const resourcesOf = (path: string, action: ClientAction): readonly string[] =>
    places.resources(path, action);
  const given = `${args.join("\n")}\n${fed}`;
  const steps = patchSteps(given, resourcesOf);
  const isPlain = fed === "" && !given.includes(unknownPart) && namesFiles(given);
  return isPlain || !namesFiles(text) ? [...steps] : [...steps, ...patchSteps(text, resourcesOf)];
}

function namesFiles(patch: string): boolean {
  const { written, deleted } = patchedFiles(patch);
  return written.length + deleted.length > 0;
}

/** The files that are named behind what is to become of them, which an option may say too. */
function changedBy(args: readonly string[]): readonly string[] {
  const operands = operandsOf(args);
  const isTold = args.some((arg) => /^-[rwxXst]+$/.test(arg) || /^--ref/.test(arg));
  return isTold ? operands : operands.slice(1);
}

/** A command without what stands before it, and the folders that this names; behind xargs with a word more. */
function unwrapped(words: readonly string[]): {
  readonly words: readonly string[];
  readonly folders: readonly string[];
} {
  const folders: string[] = [];
  let at = 0;
  let isGiven = false;
  let stand: string | undefined;
  for (;;) {
    for (let end = assignmentEnd(words, at); end > at; end = assignmentEnd(words, at)) at = end;
    const name = nameOf(words, at);
    if (name === "function") {
      at += 2;
      continue;
    }
    const wrapper = Object.hasOwn(wrappers, name) ? wrappers[name]! : undefined;
    if (!wrapper) break;
    const end = optionsEnd(words, at + 1, wrapper.valued);
    const given = words.slice(at + 1, end);
    const folder = wrapper.folder && optionValue(given, wrapper.folder, wrapper.valued);
    if (folder !== undefined) folders.push(folder);
    // A command in one word is looked into as that of a shell is.
    if (name === "env" && splitByEnv(given) !== undefined) break;
    at = end + (wrapper.operands ?? 0);
    if (name !== "xargs") continue;
    isGiven = true;
    stand = standIn(given);
  }
  const rest = at === 0 ? words : words.slice(at);
  if (!isGiven) return { words: rest, folders };
  return {
    words: stand ? rest.map((word) => word.replaceAll(stand, unknownPart)) : [...rest, unknownPart],
    folders,
  };
}

/** What stands in a command of xargs for a word that it reads; undefined where those are put behind it. */
function standIn(given: readonly string[]): string | undefined {
  const { valued } = wrappers.xargs!;
  const named = optionValue(given, ["-I", "-J"], valued);
  if (named !== undefined) return named;
  const [, , stand] = given.map((arg) => /^(-i|--replace(?:=|$))(.*)$/s.exec(arg)).find(Boolean) ?? [];
  return stand === undefined ? undefined : stand || "{}";
}

/** Where the word begins behind a keyword or an assignment, whose subscript may be of several words. */
function assignmentEnd(words: readonly string[], at: number): number {
  const word = words[at] ?? "";
  if (keywords.has(word) || /^[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=/.test(word)) return at + 1;
  if (!/^[A-Za-z_]\w*\[[^\]]*$/.test(word)) return at;
  const end = words.slice(at + 1, at + 1 + mostSubscript).findIndex((one) => /^[^\]]*\]\+?=/.test(one));
  return end < 0 ? at : at + end + 2;
}

const mostSubscript = 10;

function splitByEnv(args: readonly string[]): string | undefined {
  return optionValue(args, ["-S", "--split-string"], envValued);
}

function suCommand(args: readonly string[]): string {
  const at = args.findIndex((arg) => arg.startsWith("-c") || /^--command(?:=|$)/.test(arg));
  if (at < 0) return "";
  return /^(?:-c|--command=)(.+)$/s.exec(args[at]!)?.[1] ?? args[at + 1] ?? "";
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
  const named = args.slice(from, end < 0 ? undefined : end);
  const starts = args.some((arg) => arg === "-files0-from") ? [...named, unknownPart] : named;
  const steps = args.includes("-delete")
    ? stepsOn("file.delete", starts.length > 0 ? starts : ["."], places, { takesAll: true })
    : [];
  if (deep >= mostDeep) return steps;
  const found = foundIn(starts.length > 0 ? starts : ["."], nameFound(args));
  for (let at = 0; at < args.length; at++) {
    if (!/^-(?:exec|execdir|ok|okdir)$/.test(args[at]!)) continue;
    let stop = at + 1;
    while (stop < args.length && args[stop] !== ";" && args[stop] !== "+") stop += 1;
    // Which files it finds only running it would tell, and where they lie the folders do that it looks into.
    const words = args.slice(at + 1, stop).flatMap((arg) => foundBy(arg, found));
    steps.push(...stepsOf({ words, writes: [], fed: "", isPiped: false }, places, deep + 1, ""));
    at = stop;
  }
  return steps;
}

/** A word of a command that find runs, for each path that it may stand for. */
function foundBy(word: string, found: readonly string[]): readonly string[] {
  if (!word.includes("{}")) return [word];
  // Within a text, one for all.
  const paths = word === "{}" || found.length === 1 ? found : [unknownPart];
  return paths.map((path) => word.replaceAll("{}", () => path));
}

/** What lies in the folders that find looks into, as far as they are few, and mean themselves wherever they stand. */
function foundIn(starts: readonly string[], name: string): readonly string[] {
  const arePlain = starts.length <= mostStarts && starts.every((one) => /^[\w./@+-]+$/.test(one));
  return arePlain ? starts.map((start) => `${start}/${unknownPart}${name}`) : [unknownPart];
}

/** How a path ends that find comes to, where all that it finds is called so. */
function nameFound(args: readonly string[]): string {
  const at = args.indexOf("-name");
  const isOnly = at >= 0 && !args.some((arg) => /^(?:-o|-or|!|-not|,)$/.test(arg));
  return isOnly ? `/${args[at + 1] ?? ""}` : "";
}

const mostStarts = 10;

function gitSteps(given: readonly string[], from: Places): ToolStep[] {
  const folders: string[] = [];
  let at = 0;
  while (given[at]?.startsWith("-")) {
    if (given[at] === "-C") folders.push(given[at + 1] ?? "");
    at += gitValued.includes(given[at]!) ? 2 : 1;
  }
  const places = from.in(folders);
  const [verb, ...args] = given.slice(at);
  const operands = operandsOf(args);
  // What begins with a colon says from where it is told, or what it is not.
  const paths = operandsOf(args, verb === "clean" ? ["-e", "--exclude"] : []).map((path) =>
    path.startsWith(":") ? unknownPart : path,
  );
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
      return has(args, "f", "--force")
        ? stepsOn("file.delete", paths.length > 0 ? paths : ["."], places, { takesAll: true })
        : [];
    case "mv":
      return stepsOfDeeds(writtenFiles("mv", args), places);
    case "rm":
      return stepsOn(has(args, "r") ? "directory.delete" : "file.delete", paths, places);
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

/** Options of ssh that take a word of their own. */
const sshValued = [..."BbcDEeFIiJLlmOopQRSWw"].map((letter) => `-${letter}`);
const shellValued = ["-o", "-O", "+o", "+O", "--rcfile", "--init-file"];
const envValued = wrappers.env!.valued;
const aclValued = options("m modify M modify-file x remove X remove-file set set-file");
const gitValued = ["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env", "--attr-source"];

/** The name of the program, wherever it lies. */
function nameOf(words: readonly string[], at = 0): string {
  return (words[at] ?? "")
    .split("/")
    .at(-1)!
    .replace(/\.exe$/i, "");
}
