import { type ClientAction, clientActions } from "./client-actions.js";
import { cmdletDeeds } from "./cmdlet-deeds.js";
import { has, operandsOf, options, optionsEnd, optionValue, optionValues } from "./command-options.js";
import { CommandText, databases } from "./command-text.js";
import { splitByEnv } from "./env-words.js";
import { fetchedPages } from "./fetched-pages.js";
import { fewLookups } from "./few-lookups.js";
import { stepsOfDeeds } from "./file-deed.js";
import { gitSteps } from "./git-steps.js";
import { patchedBy } from "./patch-steps.js";
import { Pipes } from "./pipes.js";
import { anything, type PathSense, Places, stepsOn } from "./places.js";
import { listSeparator, powershellCommands } from "./powershell-words.js";
import { printedBy } from "./printed-text.js";
import { type Reading, readWhole } from "./reading.js";
import { savedPages } from "./saved-pages.js";
import { type ShellCommand, shellCommands, unknownPart } from "./shell-words.js";
import type { ToolStep } from "./tool-step.js";
import { envValued, nameOf, unwrapped } from "./wrapped-command.js";
import { writtenFiles } from "./written-files.js";

const mostSteps = 60;
/** What a command costs at the least. */
const commandSteps = 60;
/** What each more of a list costs that PowerShell is given. */
const elementSteps = 10;
/** Texts of commands in texts of commands; what lies deeper may do anything. */
const mostDeep = 5;

const shells = new Set("sh bash rbash zsh dash ksh mksh yash ash csh tcsh fish".split(" "));
const powershells = new Set(["pwsh", "powershell"]);
const patchers = new Set(["apply_patch", "applypatch"]);

/**
 * What a shell command plainly does beside running: what it writes, deletes, pushes, drops or fetches. Not all that it may do:
 * a program or a script can do anything, so that a rule about `shell.run` is the one that holds for every command.
 *
 * @param pathOf the name under which a path is known to rules
 * @param read the commands of the text, for the shell that it is given to
 * @returns {@link anyStep} itself where to read it would take too long
 */
export function shellSteps(
  text: string,
  pathOf: (path: string) => string,
  read: ReadCommands = shellCommands,
): readonly ToolStep[] {
  const steps = readWhole((reading) => {
    const places = new Places(fewLookups(pathOf, reading), reading);
    return stepsOfText(text, read, places, 0, reading);
  });
  if (!steps) return anyStep;
  const unique = new Map(steps.map((step) => [`${step.action} ${step.resource}`, step]));
  if (unique.size <= mostSteps) return [...unique.values()];
  // Too many to ask about: all there is, so that what forbids any of them is met.
  const named = new Map<ClientAction, boolean>();
  for (const { action, resource } of steps) named.set(action, named.get(action) || resource !== "");
  return [...named].map(([action, isNamed]) => ({ action, resource: isNamed ? anything : "" }));
}

/** What the commands of a text do, as each kind of shell reads it that may be meant. */
function stepsOfText(
  inner: string,
  read: ReadCommands,
  places: Places,
  deep: number,
  reading: Reading,
): ToolStep[] {
  const text = new CommandText(inner, reading);
  const [commands, ...others] = read(inner, reading);
  // Each begins where the text does.
  const elsewhere = others.map((other) => [other, places.copy()] as const);
  return [
    ...stepsOfAll(text, commands ?? [], places, deep),
    ...elsewhere.flatMap(([other, copy]) => stepsOfAll(text, other, copy, deep)),
  ];
}

/**
 * What is printed into a pipe may be commands, for a shell at its end.
 *
 * @param text in which the commands stand, and perhaps a patch
 */
function stepsOfAll(
  text: CommandText,
  commands: readonly ShellCommand[],
  places: Places,
  deep: number,
): ToolStep[] {
  // For each kind of reader, so that in a group one does not take it from another, and none reads it twice.
  const printed: Record<Reader, string> = { shell: "", powershell: "", patcher: "" };
  const add = (more: string): void => {
    for (const kind of readers) printed[kind] += more;
  };
  const pipes = new Pipes();
  return commands.flatMap((command) => {
    text.reading.spend(commandSteps);
    text.reading.lookAt(command.words);
    const { words: bare } = unwrapped(command.words, text.reading);
    const name = nameOf(bare);
    const reader = pipes.leadTo(command) ? readerIn(bare, text.reading) : undefined;
    const fed = reader ? command.fed + printed[reader] : command.fed;
    const steps = stepsOf({ ...command, fed }, places, deep, text);
    if (reader) for (const kind of pipes.leadInto(command) ? [reader] : readers) printed[kind] = "";
    if (name === "echo" || name === "printf") add(`${printedBy(name, bare.slice(1), text.reading)}\n`);
    if (command.isPiped) add(command.fed);
    return steps;
  });
}

/** What a text of commands does that a command is given. */
function stepsWithin(
  inner: string,
  read: ReadCommands,
  places: Places,
  deep: number,
  reading: Reading,
): ToolStep[] {
  if (inner.trim() === "") return [];
  if (deep >= mostDeep) return [...anyStep];
  return stepsOfText(inner, read, places, deep + 1, reading);
}

/** All that a command may do, where nobody reads what it does. */
export const anyStep: readonly ToolStep[] = clientActions
  .filter((action) => action !== "file.read" && action !== "shell.run")
  .map((action) => ({ action, resource: /^(?:git|branch|db)\./.test(action) ? "" : anything }));

/** The commands of a text, and where shells differ, as others than the first read it. */
type ReadCommands = (text: string, reading: Reading) => readonly (readonly ShellCommand[])[];

const readers = ["shell", "powershell", "patcher"] as const;
type Reader = (typeof readers)[number];

const likeShells = new Set(["ssh", "source", ".", "su", "script", "parallel"]);

/** What reads commands, of a command without what stands before it, from what is fed to that. */
function readerIn(words: readonly string[], reading: Reading, more = mostDeep): Reader | undefined {
  const name = nameOf(words);
  if (shells.has(name) || likeShells.has(name)) return "shell";
  if (powershells.has(name)) return "powershell";
  if (patchers.has(name)) return "patcher";
  const inner = wordsGivenTo(name, words.slice(1));
  return inner && more > 0 ? readerIn(unwrapped(inner, reading).words, reading, more - 1) : undefined;
}

/** The words of a command that another one is given to run, which are its own behind its name. */
function wordsGivenTo(name: string, args: readonly string[]): readonly string[] | undefined {
  switch (name) {
    case "runuser":
      return optionValue(args, ["-u", "--user"], runuserValued) === undefined
        ? ["su"]
        : args.slice(optionsEnd(args, 0, runuserValued));
    case "env":
      return ["env", ...(splitByEnv(args, envValued) ?? [])];
    case "docker":
    case "podman":
    case "kubectl":
      return wordsInContainer(args);
    default:
      return undefined;
  }
}

function stepsOf(command: ShellCommand, from: Places, deep: number, text: CommandText): ToolStep[] {
  const { writes, isOfPowershell } = command;
  const paths = isOfPowershell ? writes.map((path) => path.replaceAll("\\", "/")) : writes;
  const redirected = stepsOfDeeds([{ action: "file.write", paths }], from);
  const run = isOfPowershell ? stepsOfCmdlet : stepsOfProgram;
  return [...run(command, from, deep, text), ...redirected];
}

/** A command of PowerShell, which knows some of its own and runs programs as every shell does. */
function stepsOfCmdlet(command: ShellCommand, places: Places, deep: number, text: CommandText): ToolStep[] {
  const [first = "", ...more] = command.words;
  const [given = "", ...args] = /^(?:return|\.)$/i.test(first) ? more : [first, ...more];
  const name = nameOf([given.replaceAll("\\", "/").toLowerCase()]);
  for (const arg of args) text.reading.spend(elementSteps * (arg.split(listSeparator).length - 1));
  const told = cmdletDeeds(name, args);
  if (told) {
    return [
      ...fetchSteps("curl", ["--", ...told.addresses], text.reading),
      ...stepsOfDeeds(told.files, places),
    ];
  }
  if (name === "invoke-expression" || name === "iex") {
    return stepsWithin(operandsOf(args).join(" "), powershellCommands, places, deep, text.reading);
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

function stepsOfProgram(
  { words, fed }: ShellCommand,
  from: Places,
  deep: number,
  text: CommandText,
): ToolStep[] {
  text.reading.lookAt(words);
  const { words: bare, folders } = unwrapped(words, text.reading);
  const places = from.in(folders);
  const [, ...args] = bare;
  const name = nameOf(bare);
  const within = (inner: string, read: ReadCommands = shellCommands): ToolStep[] =>
    stepsWithin(inner, read, places, deep, text.reading);
  const ran = (words: readonly string[]): ToolStep[] =>
    deep < mostDeep
      ? stepsOfProgram({ words, writes: [], fed, isPiped: false }, places, deep + 1, text)
      : [...anyStep];
  const on = (action: ClientAction, operands: readonly string[], sense?: PathSense): ToolStep[] =>
    stepsOn(action, operands, places, sense);
  const plain = operandsOf(args);
  if (name === "fish")
    return [...within(optionValues(args, fishCommands, fishValued).join("\n")), ...within(fed)];
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
    case "runuser":
      if (optionValue(args, ["-u", "--user"], runuserValued) !== undefined)
        return ran(wordsGivenTo(name, args)!);
      return [...within(suCommands(args).join("\n")), ...within(fed)];
    case "su":
      return [...within(suCommands(args).join("\n")), ...within(fed)];
    case "ssh":
      return [...within(behindHost(args).join(" ")), ...within(fed)];
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
      return findSteps(args, places, deep, text.reading);
    case "git":
      return gitSteps(args, places);
    case "dropdb":
      return [{ action: "db.drop", resource: "" }];
    case "curl":
    case "wget":
      return [...fetchSteps(name, args, text.reading), ...stepsOfDeeds([savedPages(name, args)], places)];
    case "watch":
      return within(args.slice(optionsEnd(args, 0, watchValued)).join(" "));
    case "script":
      return [...within(scriptCommand(args)), ...within(fed)];
    case "parallel":
      return parallelCommands(args, fed).flatMap((inner) => within(inner));
    case "env":
    case "docker":
    case "podman":
    case "kubectl":
      return ran(wordsGivenTo(name, args)!);
    case "chmod":
    case "chown":
    case "chgrp":
      return on("access.grant", changedBy(args), { takesAll: has(args, "R", "--recursive") });
    case "setfacl":
      return on("access.grant", operandsOf(args, aclValued), { takesAll: has(args, "R", "--recursive") });
    default:
      if (databases.has(name)) return [...text.sqlSteps];
      return args[0] === "--codex-run-as-apply-patch"
        ? patchedBy(args, fed, places, text)
        : stepsOfDeeds(writtenFiles(name, args, text.reading), places);
  }
}

function fetchSteps(program: "curl" | "wget", args: readonly string[], reading: Reading): ToolStep[] {
  return fetchedPages(program, args, reading).map((resource) => ({ action: "web.fetch", resource }));
}

/** What ssh runs there: behind the host, more of its options may stand. */
function behindHost(args: readonly string[]): readonly string[] {
  const more = args.slice(optionsEnd(args, 0, sshValued) + 1);
  return more.slice(optionsEnd(more, 0, sshValued));
}

/** The files that are named behind what is to become of them, which an option may say too. */
function changedBy(args: readonly string[]): readonly string[] {
  const operands = operandsOf(args);
  const isTold = args.some((arg) => /^-[rwxXst]+$/.test(arg) || /^--ref/.test(arg));
  return isTold ? operands : operands.slice(1);
}

/** What `su` is told to run: of several such options the first or the last, for those behind the user are the shell's. */
function suCommands(args: readonly string[]): readonly string[] {
  const told = args.flatMap((arg, at) => {
    const [, inWord] = suCommand.exec(arg) ?? [];
    return inWord === undefined ? [] : [inWord || (args[at + 1] ?? "")];
  });
  return told.length > 2 ? [told[0]!, told.at(-1)!] : told;
}

/** An option of `su` that takes a command, perhaps among other letters or cut short, and what stands of that in its word. */
const suCommand = /^(?:-[a-zA-Z]*?[cC]|--co[a-z]*(?:=|$)|--se[a-z-]*(?:=|$))(.*)$/s;

/** What `script` runs by `-c`, or behind the file that it writes down what it sees in. */
function scriptCommand(args: readonly string[]): string {
  return (
    optionValue(args, ["-c", "--command"], scriptValued) ?? operandsOf(args, scriptValued).slice(1).join(" ")
  );
}

/** A command of GNU parallel for what it may read, or where it is given none, what it is given as commands. */
function parallelCommands(args: readonly string[], fed: string): readonly string[] {
  const command = args.slice(optionsEnd(args, 0, parallelValued));
  const at = command.findIndex((word) => /^:{3,4}\+?$/.test(word));
  const words = at < 0 ? command : command.slice(0, at);
  if (words.length === 0) return at < 0 ? [fed] : command.slice(at + 1);
  const given = words.join(" ");
  const placed = given.replace(parallelPlace, () => unknownPart);
  return [placed === given ? `${given} ${unknownPart}` : placed];
}

/** What `exec` runs in a container, behind the name of that. */
function wordsInContainer(args: readonly string[]): readonly string[] {
  const at = args.indexOf("exec");
  if (at < 0) return [];
  const given = args.slice(at + 1);
  const end = optionsEnd(given, 0, containerValued);
  const more = given.slice(end + 1);
  return more.slice(optionsEnd(more, 0, containerValued));
}

/** What a shell is told to run by `-c`: the first word that is no option. */
function commandOf(args: readonly string[]): string {
  const end = optionsEnd(args, 0, shellValued);
  const hasCommand = args.slice(0, end).some((arg) => /^-\w+$/.test(arg) && arg.includes("c"));
  return hasCommand ? (args[end] ?? "") : "";
}

/** Options of find that stand before the paths, and end where the paths begin. */
const findOptions = /^-(?:[HLP]|O\d*|D)$/;

function findSteps(args: readonly string[], places: Places, deep: number, reading: Reading): ToolStep[] {
  let from = 0;
  while (findOptions.test(args[from] ?? "")) from += args[from] === "-D" ? 2 : 1;
  const end = args.findIndex((arg, n) => n >= from && /^(?:-|[(),!]$)/.test(arg));
  const named = args.slice(from, end < 0 ? undefined : end);
  const told = args.some((arg) => arg === "-files0-from") ? [...named, unknownPart] : named;
  const starts = told.length > 0 ? told : ["."];
  const steps = args.includes("-delete") ? stepsOn("file.delete", starts, places, { takesAll: true }) : [];
  const found = foundIn(starts, nameFound(args));
  for (let at = 0; at < args.length; at++) {
    const option = args[at]!;
    if (/^-(?:fprint0?|fprintf|fls)$/.test(option)) {
      at += 1;
      steps.push(...stepsOfDeeds([{ action: "file.write", paths: args.slice(at, at + 1) }], places));
    }
    if (!/^-(?:exec|execdir|ok|okdir)$/.test(option)) continue;
    let stop = at + 1;
    while (stop < args.length && args[stop] !== ";" && args[stop] !== "+") stop += 1;
    // Which files it finds only running it would tell, and where they lie the folders do that it looks into.
    const words = args.slice(at + 1, stop).flatMap((arg) => foundBy(arg, found, reading));
    if (deep >= mostDeep) return [...steps, ...anyStep];
    const command = { words, writes: [], fed: "", isPiped: false };
    for (const folder of option.endsWith("dir") ? foldersOf(starts, places) : [places]) {
      reading.spend(commandSteps);
      steps.push(...stepsOf(command, folder, deep + 1, new CommandText(words.join(" "), reading)));
    }
    at = stop;
  }
  return steps;
}

/** The folders that find begins in, which are the first of those in which it runs a command by `-execdir`. */
function foldersOf(starts: readonly string[], places: Places): readonly Places[] {
  const few = starts.length > mostStarts ? [unknownPart] : starts;
  return few.map((start) => places.in([start]));
}

/** A word of a command that find runs, for each path that it may stand for. */
function foundBy(word: string, found: readonly string[], reading: Reading): readonly string[] {
  if (!word.includes("{}")) return [word];
  reading.spend(4 * word.length);
  // Within a text, one for all.
  const paths = word === "{}" || found.length === 1 ? found : [unknownPart];
  return paths.map((path) => word.replaceAll("{}", () => path));
}

/** What lies in the folders that find looks into, as far as they are few, and mean themselves wherever they stand. */
function foundIn(starts: readonly string[], name: string): readonly string[] {
  const arePlain = starts.length <= mostStarts && starts.every((one) => /^[\w./@+-]{1,200}$/.test(one));
  return arePlain ? starts.map((start) => `${start}/${unknownPart}${name}`) : [unknownPart];
}

/** How a path ends that find comes to, where all that it finds is called so. */
function nameFound(args: readonly string[]): string {
  const at = args.indexOf("-name");
  const isOnly = at >= 0 && !args.some((arg) => /^(?:-o|-or|!|-not|,)$/.test(arg));
  const name = args[at + 1] ?? "";
  return isOnly && name.length <= mostName ? `/${name}` : "";
}

const mostStarts = 10;
const mostName = 200;

/** Options of ssh that take a word of their own. */
const sshValued = [..."BbcDEeFIiJLlmOopQRSWw"].map((letter) => `-${letter}`);
const runuserValued = options("u user g group G supp-group w whitelist-environment");
const fishCommands = options("c command C init-command");
const fishValued = options(
  "c command C init-command d debug o debug-output D debug-stack-frames f features profile profile-startup",
);
const shellValued = ["-o", "-O", "+o", "+O", "--rcfile", "--init-file"];
const watchValued = options("n interval q equexit s shotsdir");
const scriptValued = options(
  "c command E echo I log-in O log-out B log-io T log-timing m logging-format o output-limit",
);
const parallelValued = options(
  "j jobs P max-procs n max-args N max-replace-args L max-lines I a arg-file d delimiter C colsep S sshlogin slf sshloginfile joblog results tmpdir workdir wd timeout retries delay load memfree nice halt tagstring env rpl trc return basefile shuf block recstart recend E",
);
const parallelPlace = /\{(?:[-+]?\d+)?(?:\.|\/|\/\/|\/\.|#|%)?\}/g;
const containerValued = options(
  "e env env-file u user w workdir detach-keys index c container n namespace f filename pod-running-timeout context",
);
const aclValued = options("m modify M modify-file x remove X remove-file set set-file");
