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

const deedOf = new Map(deeds.flatMap((words, n) => words.map((word) => [word, n] as const)));
const thingOf = new Map(things.flatMap((words, n) => words.map((word) => [word, n] as const)));

/** Longer names are not worth a search; no rule has one. */
const maxSearched = 64;
const mostNearest = 3;

/** Names that rules and the vocabulary know, ready to be compared with what somebody said. */
export class KnownActions {
  readonly #actions: readonly { readonly name: string; readonly words: readonly string[] }[];
  readonly #phrases: ReadonlyMap<string, readonly string[]>;

  /** @param vocabulary action → other words for it */
  constructor(names: readonly string[], vocabulary: Readonly<Record<string, readonly string[]>>) {
    this.#actions = names.map((name) => ({ name, words: wordsOf(name) }));
    const phrases = new Map<string, string[]>();
    for (const [name, others] of Object.entries(vocabulary))
      for (const other of others) {
        const phrase = wordsOf(other).join(" ");
        phrases.set(phrase, [...(phrases.get(phrase) ?? []), name]);
      }
    this.#phrases = phrases;
  }

  /** Up to three known actions, the nearest first: by other words for it, by the deed it names, by a slip of typing. */
  nearest(given: string): readonly string[] {
    if (given.length > maxSearched) return [];
    const words = wordsOf(given);
    const found = new Set(this.#phrases.get(words.join(" ")));
    const scored = this.#actions
      .map(({ name, words: known }) => ({ name, score: likeness(given, words, name, known) }))
      .filter(({ score }) => score > 0)
      .sort((one, other) => other.score - one.score || (one.name < other.name ? -1 : 1));
    for (const { name } of scored.slice(0, mostNearest)) found.add(name);
    return [...found].slice(0, mostNearest);
  }
}

/** 0 where nothing speaks for it; a slip of typing counts more than the same deed, and that more than the same thing. */
function likeness(given: string, words: readonly string[], name: string, known: readonly string[]): number {
  if (editsWithin(given, name, given.length <= 5 ? 1 : 2)) return 100;
  let deed = 0;
  let thing = 0;
  for (const word of words) {
    if (known.includes(word)) {
      if (deedOf.has(word)) deed = Math.max(deed, 11);
      else thing += 3;
      continue;
    }
    const group = deedOf.get(word);
    if (group !== undefined && known.some((other) => deedOf.get(other) === group)) deed = Math.max(deed, 10);
    const kind = thingOf.get(word);
    if (kind !== undefined && known.some((other) => thingOf.get(other) === kind)) thing += 2;
    else if (word.length > 3 && known.some((other) => other.length > 3 && editsWithin(word, other, 1)))
      deed = Math.max(deed, 8);
  }
  // The same thing alone says little: reading a file is not deleting it.
  return deed === 0 ? 0 : deed + thing;
}

/** `rmDir my_file` → rm, dir, my, file */
function wordsOf(text: string): readonly string[] {
  return text
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
}

/** Whether so many edits turn one into the other; looks only at the band of the table where that can be. */
function editsWithin(one: string, other: string, most: number): boolean {
  if (Math.abs(one.length - other.length) > most) return false;
  const far = most + 1;
  let last = Array.from({ length: other.length + 1 }, (_, j) => j);
  let before = last;
  for (let i = 1; i <= one.length; i++) {
    const row = new Array<number>(other.length + 1).fill(far);
    if (i <= most) row[0] = i;
    let least = row[0]!;
    for (let j = Math.max(1, i - most); j <= Math.min(other.length, i + most); j++) {
      const cost = one[i - 1] === other[j - 1] ? 0 : 1;
      let edits = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost);
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1])
        edits = Math.min(edits, before[j - 2]! + 1);
      row[j] = edits;
      least = Math.min(least, edits);
    }
    if (least > most) return false;
    before = last;
    last = row;
  }
  return last[other.length]! <= most;
}
