import { ownSteps } from "./own-steps.js";

/**
 * Words that models and people use for the same deed. A model says `rm` where a rule says `file.delete`; the words of
 * one line stand for each other.
 */
const deeds: readonly (readonly string[])[] = [
  [
    "delete",
    "del",
    "rm",
    "rmdir",
    "unlink",
    "remove",
    "erase",
    "destroy",
    "purge",
    "wipe",
    "trash",
    "drop",
    "truncate",
  ],
  ["move", "mv", "rename", "relocate"],
  ["copy", "cp", "duplicate", "clone"],
  ["run", "exec", "execute", "sh", "bash", "shell", "command", "cmd", "spawn", "eval", "invoke", "terminal"],
  ["push", "publish", "upload"],
  ["deploy", "release", "rollout", "ship"],
  ["write", "edit", "modify", "change", "update", "patch", "save", "put", "set", "append", "overwrite"],
  ["create", "make", "mkdir", "touch", "new", "add", "insert"],
  ["read", "cat", "get", "view", "open", "show", "fetch", "download", "load"],
  ["send", "mail", "email", "message", "post", "notify", "reply"],
  ["pay", "buy", "purchase", "charge", "order", "transfer", "refund"],
  ["acquire", "lock", "reserve", "claim"],
  ["grant", "chmod", "chown", "permit", "share"],
];

/** Things, by other words. */
const things: readonly (readonly string[])[] = [
  ["file", "files", "path", "document", "doc"],
  ["dir", "directory", "folder"],
  ["db", "database", "table", "sql", "schema"],
  ["git", "repo", "repository", "branch"],
  ["prod", "production", "live"],
];

const deedOf = new Map(deeds.flatMap((words, n) => words.map((word) => [word, `deed ${n}`] as const)));
const thingOf = new Map(things.flatMap((words, n) => words.map((word) => [word, `thing ${n}`] as const)));

/** Whether a word is one of those for a deed, each named by its first word. */
export function isDeed(word: string, named: readonly string[]): boolean {
  const deed = deedOf.get(word);
  return deed !== undefined && named.some((one) => deedOf.get(one) === deed);
}

/** Longer names are not worth a search; no rule has one. */
const maxSearched = 64;
const maxWords = 8;
/** Of many names with the same deed the first are compared. */
const maxCompared = 500;
const maxRemembered = 500;
const mostNearest = 3;

const ownNames = Object.keys(ownSteps);

interface KnownAction {
  readonly name: string;
  readonly words: ReadonlySet<string>;
  /** Its words, and what stands for words like them. */
  readonly meanings: ReadonlySet<string>;
}

/** Of our own steps a name that somebody made up for a step of theirs must not be taken for a slip. */
const ownReach = 1;

/** Names that rules and the vocabulary know, and our own steps, ready to be compared with what somebody said. */
export class KnownActions {
  readonly #names: readonly string[];
  readonly #byMeaning = new Map<string, KnownAction[]>();
  readonly #phrases = new Map<string, string[]>();
  readonly #words = new Set<string>();
  readonly #remembered = new Map<string, readonly string[]>();

  /** @param vocabulary action → other words for it */
  constructor(names: readonly string[], vocabulary: Readonly<Record<string, readonly string[]>>) {
    this.#names = names;
    for (const name of names) {
      const words = wordsOf(name);
      const known = { name, words: new Set(words), meanings: new Set(words.map(meaningOf)) };
      for (const word of words) this.#words.add(word);
      for (const meaning of known.meanings) push(this.#byMeaning, meaning, known);
    }
    for (const [name, others] of Object.entries(vocabulary))
      for (const other of others) push(this.#phrases, wordsOf(other).join(" "), name);
    for (const [name, others] of Object.entries(ownSteps))
      for (const phrase of new Set(others.map((other) => wordsOf(other).join(" "))))
        push(this.#phrases, phrase, name);
  }

  /**
   * Up to three known actions, the nearest first: by other words for it, by the deed it names, by a slip of typing. Our own
   * steps, unless rules name them, only by a slip of one character and by the words of `ownSteps`.
   */
  nearest(given: string): readonly string[] {
    let found = this.#remembered.get(given);
    if (!found) {
      found = given.length > maxSearched ? [] : this.#find(given);
      if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
      this.#remembered.set(given, found);
    }
    return found;
  }

  #find(given: string): readonly string[] {
    const words = wordsOf(given)
      .flatMap((word) => this.#apart(word))
      .slice(0, maxWords);
    const reach = given.length <= 5 ? 1 : 2;
    const scores = new Map<string, number>();
    for (const name of this.#phrases.get(words.join(" ")) ?? []) scores.set(name, 1_000);
    for (const name of ownNames) if (editsWithin(given, name, ownReach)) scores.set(name, 100);
    for (const name of this.#names) if (editsWithin(given, name, reach)) scores.set(name, 100);
    // A word with a slip in it counts as the word.
    const meant = words.map((word) =>
      deedOf.has(word) || this.#words.has(word) ? word : this.#slipOf(word),
    );
    const meanings = new Set(meant.map(meaningOf));
    for (const meaning of meanings) {
      if (!meaning.startsWith("deed ")) continue;
      for (const known of (this.#byMeaning.get(meaning) ?? []).slice(0, maxCompared)) {
        const score = likeness(meant, meanings, known);
        if (score > (scores.get(known.name) ?? 0)) scores.set(known.name, score);
      }
    }
    return [...scores]
      .sort(([one, its], [other, theirs]) => theirs - its || (one < other ? -1 : 1))
      .slice(0, mostNearest)
      .map(([name]) => name);
  }

  /** `deletefile` → delete, file: what a name in capitals and small letters becomes. */
  #apart(word: string): readonly string[] {
    if (this.#isWord(word)) return [word];
    for (let at = 2; at <= word.length - 2; at++) {
      const parts = [word.slice(0, at), word.slice(at)];
      if (parts.some((part) => deedOf.has(part)) && parts.every((part) => this.#isWord(part))) return parts;
    }
    return [word];
  }

  #isWord(word: string): boolean {
    return deedOf.has(word) || thingOf.has(word) || this.#words.has(word);
  }

  #slipOf(word: string): string {
    if (word.length < 4) return word;
    for (const known of this.#words) if (known.length >= 4 && editsWithin(word, known, 1)) return known;
    return word;
  }
}

/** The same deed is what counts: reading a file is not deleting it. The same word says more than one like it. */
function likeness(words: readonly string[], meanings: ReadonlySet<string>, known: KnownAction): number {
  let score = 0;
  for (const meaning of meanings)
    if (known.meanings.has(meaning)) score += meaning.startsWith("deed ") ? 10 : 2;
  for (const word of words) if (known.words.has(word)) score += 1;
  return score;
}

/** What stands for all words like this one. */
function meaningOf(word: string): string {
  return deedOf.get(word) ?? thingOf.get(word) ?? word;
}

/** `rm my_file` → rm, my, file */
function wordsOf(text: string): readonly string[] {
  return text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
}

/** Rows of the table of distances, used again for each pair. */
const rows = [new Int32Array(256), new Int32Array(256), new Int32Array(256)] as const;

/** Whether so many edits turn one into the other; looks only at the band of the table where that can be. */
function editsWithin(one: string, other: string, most: number): boolean {
  if (Math.abs(one.length - other.length) > most || other.length > 250) return false;
  let [before, last, row] = rows;
  for (let j = 0; j <= most + 1; j++) last[j] = j;
  for (let i = 1; i <= one.length; i++) {
    const from = Math.max(1, i - most);
    const to = Math.min(other.length, i + most);
    // Beside the band everything is too far.
    row[from - 1] = from === 1 ? i : most + 1;
    row[to + 1] = most + 1;
    let least = row[from - 1]!;
    for (let j = from; j <= to; j++) {
      const cost = one.charCodeAt(i - 1) === other.charCodeAt(j - 1) ? 0 : 1;
      let edits = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost);
      if (
        i > 1 &&
        j > 1 &&
        one.charCodeAt(i - 1) === other.charCodeAt(j - 2) &&
        one.charCodeAt(i - 2) === other.charCodeAt(j - 1)
      )
        edits = Math.min(edits, before[j - 2]! + 1);
      row[j] = edits;
      least = Math.min(least, edits);
    }
    if (least > most) return false;
    [before, last, row] = [last, row, before];
  }
  return last[other.length]! <= most;
}

function push<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const values = map.get(key);
  if (values) values.push(value);
  else map.set(key, [value]);
}
