import { inBraces } from "./brace-alternatives.js";
import { has, options, optionsEnd, optionValue } from "./command-options.js";
import { splitByEnv } from "./env-words.js";
import type { Reading } from "./reading.js";
import { isAssignment, keywords, unknownPart } from "./shell-words.js";

/** A command before a command: which of its options take a word of their own, and how many words follow them. */
interface Wrapper {
  readonly valued: readonly string[];
  readonly operands?: number;
  /** Those that name the folder in which the command is run. */
  readonly folder?: readonly string[];
  /** Whether it begins a shell where it is given no command: always, or by one of those options. */
  readonly shell?: true | { readonly short: string; readonly long: readonly string[] };
}

const wrappers: Readonly<Record<string, Wrapper>> = {
  sudo: {
    valued: options(
      "u user g group C close-from D chdir h host p prompt R chroot r role t type T command-timeout U other-user",
    ),
    folder: options("D chdir"),
    shell: { short: "si", long: ["--shell", "--login"] },
  },
  doas: { valued: options("u C a"), shell: { short: "s", long: [] } },
  pkexec: { valued: options("u user"), shell: true },
  env: { valued: options("a argv0 u unset C chdir P S split-string"), folder: options("C chdir") },
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
  chroot: { valued: options("userspec groups"), operands: 1, shell: true },
  unshare: {
    valued: options(
      "S setuid G setgid R root w wd map-user map-users map-group map-groups propagation setgroups monotonic boottime l load-interp",
    ),
    folder: options("w wd"),
    shell: true,
  },
  nsenter: { valued: options("t target S setuid G setgid N net-socket W wdns"), shell: true },
  setpriv: {
    valued: options(
      "ambient-caps inh-caps bounding-set groups rgid egid regid ruid euid reuid securebits pdeathsig ptracer selinux-label apparmor-profile landlock-access landlock-rule seccomp-filter",
    ),
  },
  taskset: { valued: [], operands: 1 },
  chrt: { valued: options("T sched-runtime P sched-period D sched-deadline"), operands: 1 },
  prlimit: { valued: options("p pid o output") },
  strace: {
    valued: options(
      "a columns b detach-on e E env I interruptible o output O summary-syscall-overhead p attach P trace-path s string-limit S summary-sort-by u user U summary-columns X const-print-style",
    ),
  },
  ltrace: { valued: options("a align A D debug e F config l library n indent o output p s u x X where") },
  unbuffer: { valued: [] },
  fakeroot: { valued: options("l lib faked s i b fd-base"), shell: true },
  gosu: { valued: [], operands: 1 },
  "su-exec": { valued: [], operands: 1 },
  caffeinate: { valued: options("t w") },
  nohup: { valued: [] },
  setsid: { valued: [] },
  busybox: { valued: [] },
  toybox: { valued: [] },
  noglob: { valued: [] },
  nocorrect: { valued: [] },
  command: { valued: [] },
  builtin: { valued: [] },
  coproc: { valued: [] },
  // Of zsh.
  "-": { valued: [] },
  repeat: { valued: [], operands: 1 },
};

/** Options of `env` that take a word of their own. */
export const envValued = wrappers.env!.valued;

/** A command without what stands before it, and the folders that this names; behind xargs with a word more. */
export function unwrapped(
  given: readonly string[],
  reading: Reading,
): {
  readonly words: readonly string[];
  readonly folders: readonly string[];
} {
  let words = given;
  const folders: string[] = [];
  let at = 0;
  let isGiven = false;
  let stand: string | undefined;
  for (;;) {
    for (let end = assignmentEnd(words, at); end > at; end = assignmentEnd(words, at)) at = end;
    const word = words[at];
    // What stands in braces may be the command and its words.
    const meant = word?.includes("{") ? inBraces(word, reading) : [];
    if (meant.length > 1) {
      words = [...meant, ...words.slice(at + 1)];
      at = 0;
      continue;
    }
    // What only the shell could tell may be nothing.
    if (word !== undefined && isUnknown.test(word) && at + 1 < words.length) {
      at += 1;
      continue;
    }
    const name = nameOf(words, at);
    // The name of a command that runs beside stands only before one of several.
    if (name === "function" || (name === "coproc" && keywords.has(words[at + 2] ?? ""))) {
      // Of zsh, one may have several names.
      const begin = words.slice(at, at + mostNames).indexOf("{");
      at = begin < 0 ? at + 2 : at + begin;
      continue;
    }
    const wrapper = Object.hasOwn(wrappers, name) ? wrappers[name]! : undefined;
    if (!wrapper) break;
    reading.spend(wrapperSteps);
    const end = optionsEnd(words, at + 1, wrapper.valued);
    const given = words.slice(at + 1, end);
    // It only says what would be run.
    if (name === "command" && given.some((option) => /^-p*[vV]/.test(option))) break;
    // What a command in one word becomes may be options of it too: it is looked into as that of a shell is.
    if (name === "env" && splitByEnv(given, wrapper.valued) !== undefined) break;
    const folder = wrapper.folder && optionValue(given, wrapper.folder, wrapper.valued);
    if (folder !== undefined) folders.push(folder);
    at = end + (wrapper.operands ?? 0);
    if (name === "env" && words[at] === "-") at += 1;
    if (at >= words.length && beginsShell(wrapper, given)) return { words: ["sh"], folders };
    if (name === "flock" && /^(?:-c|--command)$/.test(words[at] ?? ""))
      return { words: ["sh", "-c", ...words.slice(at + 1)], folders };
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

function beginsShell({ shell }: Wrapper, given: readonly string[]): boolean {
  return shell === true || (shell !== undefined && has(given, shell.short, ...shell.long));
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
  // What ends several commands may stand right before what goes on with others.
  if (closers.has(word) && keywords.has(words[at + 1] ?? "")) return at + 2;
  // Over what a script was given.
  if ((word === "for" || word === "select") && /^(?:do|\{)$/.test(words[at + 2] ?? "")) return at + 2;
  if (keywords.has(word) || isAssignment.test(word)) return at + 1;
  if (!/^[A-Za-z_]\w*\[[^\]]*$/.test(word)) return at;
  const end = words.slice(at + 1, at + 1 + mostSubscript).findIndex((one) => /^[^\]]*\]\+?=/.test(one));
  return end < 0 ? at : at + end + 2;
}

const mostSubscript = 10;
const mostNames = 20;
const isUnknown = new RegExp(`^${unknownPart}+$`);
/** What it costs to look for the command behind another one, beside its words. */
const wrapperSteps = 4;

/** Words that end what is of several commands. */
export const closers: ReadonlySet<string> = new Set(["}", "fi", "done", "esac"]);

/** The name of the program, wherever it lies; what only the shell could tell of it may be nothing. */
export function nameOf(words: readonly string[], at = 0): string {
  return (
    (words[at] ?? "")
      .replaceAll(unknownPart, "")
      .split("/")
      .at(-1)!
      // To zsh, a sign before it asks for where the program lies.
      .replace(/^=(?=.)/, "")
      .replace(/\.exe$/i, "")
  );
}
