import { dirname, posix } from "node:path";

/** A Lua script as its header promises it and as its body is. Paths are relative to the tree it was found in. */
export interface Contract {
  readonly purpose: string;
  readonly keys: Slots;
  readonly args: Slots;
  readonly wholes: readonly string[];
  readonly words: readonly string[];
  readonly wordsInside: readonly string[];
}

/** Numbered slots that are named one by one, and the first of those that repeat to the end, if some do. */
export interface Slots {
  readonly single: readonly number[];
  readonly rest: number | undefined;
}

const flagsKnown = new Set(["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"]);
const writing =
  /^(SET|DEL|UNLINK|INCR|INCRBY|PEXPIRE|EXPIRE|H(SET|SETNX|DEL|INCRBY)|Z(ADD|REM|REMRANGEBY\w+|INCRBY)|S(ADD|REM)|[LR](PUSH|POP)|X(ADD|DEL|TRIM|ACK)|PUBLISH)$/;

/** Fragments live in a folder `lua/` and are included by operations; everything else is an operation. */
export function isFragment(path: string): boolean {
  return posix.basename(dirname(path)) === "lua";
}

/** The header of an operation, read. */
export function contractOf(text: string): Contract {
  return readContract(/--\[\[\n([\s\S]*?)\n\]\]\n/.exec(text)?.[1] ?? "");
}

/**
 * How a script departs from its header, one line each; empty when body and header agree.
 *
 * @param read text of a script by its path, undefined when there is none
 */
export function departures(path: string, read: (path: string) => string | undefined): string[] {
  const text = read(path);
  if (text === undefined) return ["is not there"];
  if (isFragment(path)) return fragmentDepartures(text);
  const shebang = /^#!lua flags=([a-z,-]*)\n--\[\[\n([\s\S]*?)\n\]\]\n/.exec(text);
  if (!shebang) return ["does not begin with #!lua flags=… and its header"];
  const flags = shebang[1]!.split(",").filter((flag) => flag !== "");
  const contract = readContract(shebang[2]!);
  const own = withoutComments(text.slice(shebang[0].length));
  const included = [...text.matchAll(/^--@include (\S+)$/gm)].map(([, file]) =>
    posix.join(dirname(path), file!),
  );
  const found: string[] = [];
  for (const file of included)
    if (read(file) === undefined) found.push(`includes ${file}, which is not there`);
  const fragments = included.map((file) => read(file) ?? "");
  const all = [...fragments.map(withoutComments), own].join("\n");

  for (const flag of flags) if (!flagsKnown.has(flag)) found.push(`has the unknown flag ${flag}`);
  if (!/^[A-Z][\s\S]*\.$/.test(contract.purpose)) found.push("has no sentence that says what it is for");

  for (const whole of contract.wholes)
    if (!included.includes(posix.join(dirname(path), whole)))
      found.push(`takes its keys from ${whole} and does not include it`);
  const given = contract.wholes.flatMap((whole) =>
    usedSlots(read(posix.join(dirname(path), whole)) ?? "", "KEYS"),
  );
  found.push(
    ...slotDepartures("KEYS", { ...contract.keys, single: [...given, ...contract.keys.single] }, all),
    ...slotDepartures("ARGV", contract.args, all),
  );
  for (const [file, fragment] of included.map((name, n) => [name, fragments[n]!] as const))
    if (usedSlots(fragment, "KEYS").length > 0 && !contract.wholes.some((whole) => file.endsWith(whole)))
      found.push(`includes ${file} and does not say that it takes those keys`);

  const returned = headsOf(own);
  const told = contract.words;
  for (const word of returned.filter((one) => !told.includes(one)))
    found.push(`returns ${word} and does not say so`);
  for (const word of told.filter((one) => !returned.includes(one)))
    found.push(`says ${word} and never returns it`);
  const inside = [...own.matchAll(/\breturn '([A-Z_]{2,})'/g)].map(([, word]) => word!);
  for (const word of new Set(inside))
    if (!contract.wordsInside.includes(word)) found.push(`answers ${word} and does not say so`);
  for (const word of contract.wordsInside)
    if (!new RegExp(`'${word}'`).test(all)) found.push(`says ${word} and never answers it`);
  if (told.length === 0) found.push("says no word that it returns");

  found.push(...callDepartures(own, flags), ...loopDepartures(own));
  const guard = own.indexOf("if late() then return { 'LATE' } end");
  if (guard < 0) found.push("does not stop at its deadline");
  else if (/redis\.p?call/.test(own.slice(0, guard)))
    found.push("touches the store before it looks at its deadline");
  return found;
}

function fragmentDepartures(text: string): string[] {
  const found: string[] = [];
  if (!/^-- [A-Z].+/.test(text)) found.push("does not begin with a comment that says what it is");
  if (/^--@include/m.test(text)) found.push("includes another fragment, which is not resolved");
  if (text.startsWith("#!lua")) found.push("is a fragment and begins with #!lua");
  const own = withoutComments(text);
  found.push(...callDepartures(own, []), ...loopDepartures(own));
  return found;
}

function callDepartures(own: string, flags: readonly string[]): string[] {
  const found: string[] = [];
  const calls = own.match(/redis\.p?call\(/g)?.length ?? 0;
  const named = [...own.matchAll(/redis\.(p?call)\(\s*(["'])(\w+)\2\s*(,\s*[^,)]*)?/g)];
  if (named.length !== calls) found.push("calls a command that is not named by a literal");
  for (const [, how, quote, command, key] of named) {
    if (how !== "call") found.push(`calls ${command} by pcall: an error must end the script`);
    if (quote !== "'" || command !== command!.toUpperCase())
      found.push(`writes the command ${command} otherwise than 'UPPER CASE'`);
    if (key?.includes("..")) found.push(`builds a key for ${command} inside the script`);
    if (flags.includes("no-writes") && writing.test(command!))
      found.push(`promises no writes and calls ${command}`);
  }
  return found;
}

function loopDepartures(own: string): string[] {
  const found: string[] = [];
  if (/\bwhile\s+(true|1)\s+do\b/.test(own)) found.push("has a loop without a bound: while true");
  if (/\buntil\s+(false|nil)\b/.test(own)) found.push("has a loop without a bound: until false");
  if (/\bgoto\b/.test(own)) found.push("uses goto");
  return found;
}

function slotDepartures(name: "KEYS" | "ARGV", slots: Slots, body: string): string[] {
  const found: string[] = [];
  const used = new Set(usedSlots(body, name));
  const single = [...new Set(slots.single)].sort((a, b) => a - b);
  if (single.length !== slots.single.length) found.push(`documents a slot of ${name} twice`);
  for (const n of used)
    if (!single.includes(n) && n !== slots.rest) found.push(`uses ${name}[${n}] and does not document it`);
  for (const n of single) if (!used.has(n)) found.push(`documents ${name}[${n}] and does not use it`);
  const numbers = slots.rest === undefined ? single : [...single, slots.rest];
  if (numbers.some((n, at) => n !== at + 1)) found.push(`does not number ${name} from 1 without a gap`);
  // `ARGV[n]` with a variable: the slots that repeat.
  const repeats = new RegExp(`\\b${name}\\[(?!\\d+\\])`).test(body) || new RegExp(`#${name}\\b`).test(body);
  if (repeats && slots.rest === undefined) found.push(`walks along ${name} and documents no ${name}[n…]`);
  if (!repeats && slots.rest !== undefined)
    found.push(`documents ${name}[${slots.rest}…] and does not walk along ${name}`);
  if (slots.rest !== undefined && !new RegExp(`\\b\\w+ = ${slots.rest}\\b`).test(body))
    found.push(`documents ${name}[${slots.rest}…] and does not begin there`);
  return found;
}

function readContract(header: string): Contract {
  const [before, after = ""] = header.split(/^\s*Returns /m, 2);
  const returns = after.split(/\n\s*\n/)[0]!;
  const quoted = [...returns.matchAll(/\{"([A-Z_]+)"/g)].map(([, word]) => word!);
  const bare = [...returns.replace(/"[^"]*"/g, "").matchAll(/\b[A-Z][A-Z_]+\b/g)].map(([word]) => word);
  return {
    purpose: before!.trim().split(/\n\s*\n/)[0]!,
    keys: slotsOf(before!, "KEYS"),
    args: slotsOf(before!, "ARGV"),
    wholes: [...before!.matchAll(/^ {2}KEYS {6}.*\bsee (lua\/[\w-]+\.lua)/gm)].map(([, file]) => file!),
    words: [...new Set(quoted)],
    wordsInside: [...new Set(bare)],
  };
}

function slotsOf(text: string, name: string): Slots {
  const rest = new RegExp(`${name}\\[(\\d+)…\\]`).exec(text)?.[1];
  return {
    single: [...text.matchAll(new RegExp(`${name}\\[(\\d+)\\]`, "g"))].map(([, n]) => Number(n)),
    rest: rest === undefined ? undefined : Number(rest),
  };
}

function usedSlots(text: string, name: string): number[] {
  const numbers = [...withoutComments(text).matchAll(new RegExp(`\\b${name}\\[(\\d+)\\]`, "g"))];
  return [...new Set(numbers.map(([, n]) => Number(n)))];
}

/** First words of the tables a body makes: what it may return. `{ known and 'A' or 'B' }` has two. */
function headsOf(own: string): string[] {
  const heads = [...own.matchAll(/\{\s*(?:[\w.]+ and )?'([A-Z_]{2,})'(?: or '([A-Z_]{2,})')?/g)];
  return [...new Set(heads.flatMap(([, first, second]) => (second ? [first!, second] : [first!])))];
}

function withoutComments(text: string): string {
  return text.replace(
    /('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|--\[\[[\s\S]*?\]\]|--.*$/gm,
    (_, string: string | undefined) => string ?? "",
  );
}
