import type { Reading } from "./reading.js";
import { type ShellCommand, unknownPart } from "./shell-words.js";

/** Stands in a word between the elements of a list (`a, b`). */
export const listSeparator = "\u0001";

/** Substitutions within texts within substitutions that are looked into. */
const mostDeep = 5;

/**
 * The commands of a text for PowerShell, those in its blocks and parentheses too, as far as they can be told without running
 * it. Not a parser of the language: what is calculated is unknown, and words of it that are no commands are told as such.
 */
export function powershellCommands(text: string, reading: Reading): readonly (readonly ShellCommand[])[] {
  const plain: Manner = { comments: "apart", hasVerbatim: false, isInDoubt: false };
  const all = [new Reader(text, 0, reading, plain).read()];
  if (!plain.isInDoubt) return all;
  for (const comments of ["behind signs", "anywhere"] as const)
    all.push(new Reader(text, 0, reading, { comments, hasVerbatim: true, isInDoubt: true }).read());
  return all;
}

/** How that is read of which only the whole language would tell what it is. */
interface Manner {
  /** Where `#` begins a comment: between words alone, behind signs that end a token too, or behind every number or name. */
  readonly comments: "apart" | "behind signs" | "anywhere";
  /** Whether what stands behind `--%` is given as it is. */
  readonly hasVerbatim: boolean;
  /** Whether there was anything that another manner reads otherwise. */
  isInDoubt: boolean;
}

interface Draft {
  readonly words: string[];
  readonly writes: string[];
  readonly fed: string;
  isPiped: boolean;
  readonly isOfPowershell: true;
}

/** What goes on behind the end of a block or a parenthesis. */
interface Outer {
  readonly draft: Draft;
  readonly word: string | undefined;
  readonly isTarget: boolean;
  readonly isBlock: boolean;
  readonly isTable: boolean;
}

class Reader {
  readonly #text: string;
  readonly #deep: number;
  readonly #reading: Reading;
  readonly #manner: Manner;
  readonly #commands: Draft[] = [];
  readonly #outer: Outer[] = [];
  #at: number;
  /** Whether it reads what stands in a text, up to the parenthesis that closes it. */
  readonly #isWithin: boolean;
  #hasEnded = false;
  /** Whether names stand there before what is put under them. */
  #isTable = false;
  #draft = newDraft();
  #word: string | undefined;
  /** The next word is where a stream is redirected to. */
  #isTarget = false;

  /** @param from behind the parenthesis that opened a part of a text, which is read as far as it goes */
  constructor(text: string, deep: number, reading: Reading, manner: Manner, from?: number) {
    this.#text = text;
    this.#deep = deep;
    this.#reading = reading;
    this.#manner = manner;
    this.#at = from ?? 0;
    this.#isWithin = from !== undefined;
  }

  read(): readonly Draft[] {
    while (this.#at < this.#text.length && !this.#hasEnded) {
      this.#reading.spend(4);
      this.#step();
    }
    while (this.#outer.length > 0) this.#close();
    this.#endCommand();
    return this.#commands;
  }

  #step(): void {
    const text = this.#text;
    const char = plainly(text[this.#at++]!);
    const next = plainly(text[this.#at] ?? "");
    switch (char) {
      case "'":
      case '"':
        this.#quoted(char);
        return;
      case "`":
        this.#at += 1;
        if (next === "\r" && text[this.#at] === "\n") this.#at += 1;
        else if (next !== "\n") this.#add(next);
        return;
      case "@":
        if (next === "'" || next === '"') this.#hereString(next);
        else if (next === "(" || next === "{") this.#open(false, next === "{");
        else this.#add(/\w/.test(next) && this.#word === undefined ? unknownPart : char);
        return;
      case "$":
        if (next === "(") this.#open(false);
        else this.#variable();
        return;
      case "#":
        if (this.#isComment()) this.#at = end(text, "\n", this.#at);
        else this.#add(char);
        return;
      case "<":
        if (next === "#") this.#at = end(text, "#>", this.#at) + 2;
        return;
      case ">":
        this.#redirection();
        return;
      case "(":
      case "{":
        this.#at -= 1;
        this.#open(char === "{");
        return;
      case ")":
      case "}":
        this.#close();
        return;
      case "|":
        this.#endCommand(next !== "|");
        return;
      case "&":
      case ";":
      case "\n":
        this.#endCommand();
        return;
      case ",":
        this.#add(listSeparator);
        this.#blanks(/[\s`]*/y);
        return;
      case " ":
      case "\t":
      case "\r":
        if (this.#word === "--%" && this.#verbatim()) return;
        this.#blanks(/[ \t\r]*/y);
        // A list goes on.
        if (text[this.#at] !== ",") this.#endWord();
        return;
      case "=":
        if (this.#isTable && this.#draft.words.length + (this.#word === undefined ? 0 : 1) === 1) {
          this.#draft = newDraft();
          this.#word = undefined;
        } else if (this.#isPutInto()) {
          [this.#draft.words.length, this.#word] = [0, undefined];
          if (this.#draft.writes.length > 0) this.#endCommand();
        } else this.#add(char);
        return;
      default:
        this.#add(this.#word === undefined ? char : text[this.#at - 1]!);
    }
  }

  /** Whether a `#` that was met begins a comment. */
  #isComment(): boolean {
    if (this.#word === undefined) return true;
    this.#manner.isInDoubt = true;
    const { comments } = this.#manner;
    if (comments === "apart") return false;
    return comments === "anywhere" || /[)}\]'",=\u2018-\u201e]/.test(this.#text[this.#at - 2]!);
  }

  /** Whether the statement is an expression, into which a command behind `=` is put: its type may stand before it, and lists. */
  #isPutInto(): boolean {
    const first = this.#draft.words[0] ?? this.#word ?? "";
    return !this.#isTarget && (first.startsWith(unknownPart) || first.startsWith("["));
  }

  /** Gives a program what stands behind `--%` as it is: to the end of the line, or to what begins another command. */
  #verbatim(): boolean {
    const text = this.#text;
    if (this.#draft.words.length === 0 || !/\s--%$/.test(text.slice(this.#at - 5, this.#at - 1)))
      return false;
    this.#manner.isInDoubt = true;
    if (!this.#manner.hasVerbatim) return false;
    this.#word = undefined;
    let isQuoted = false;
    while (this.#at < text.length) {
      this.#reading.spend(1);
      const char = text[this.#at]!;
      if (char === "\n" || (!isQuoted && (char === "|" || text.startsWith("&&", this.#at)))) break;
      this.#at += 1;
      if (char === '"') {
        isQuoted = !isQuoted;
        this.#add("");
      } else if (char === "%") this.#add(unknownPart);
      else if (isQuoted || !/\s/.test(char)) this.#add(char);
      else this.#endWord();
    }
    this.#endWord();
    return true;
  }

  #blanks(all: RegExp): void {
    all.lastIndex = this.#at;
    all.test(this.#text);
    this.#at = all.lastIndex;
  }

  #quoted(quote: string): void {
    const text = this.#text;
    this.#add("");
    const plain = quote === '"' ? plainInExpanded : plainInQuotes;
    while (this.#at < text.length) {
      if (this.#plain(plain)) continue;
      this.#reading.spend(1);
      const char = text[this.#at++]!;
      if (plainly(char) === quote) {
        if (plainly(text[this.#at] ?? "") !== quote) return;
        this.#at += 1;
        this.#add(quote);
      } else if (quote === '"') this.#expanded(char);
      else this.#add(char);
    }
  }

  /** A text over several lines, at whose end the closing sign begins a line. */
  #hereString(quote: string): void {
    const from = end(this.#text, "\n", this.#at) + 1;
    let to = end(this.#text, `\n${quote}@`, from - 1);
    if (quote === "'") this.#add(this.#text.slice(from, to));
    else {
      this.#add("");
      this.#at = from;
      while (this.#at < to) {
        if (!this.#plain(plainInExpanded, to)) this.#expanded(this.#text[this.#at++]!);
        // What stood in it may have been of several lines, with such a sign of its own.
        if (this.#at <= to) continue;
        to = end(this.#text, `\n${quote}@`, this.#at - 1);
        this.#reading.spend(1 + ((to - this.#at) >> 8));
      }
    }
    this.#at = to + 3;
  }

  /** What stands there as it is, as far as that goes. Answers whether there was some. */
  #plain(all: RegExp, to = this.#text.length): boolean {
    all.lastIndex = this.#at;
    const plain = all.exec(this.#text)?.[0].slice(0, to - this.#at);
    if (plain === undefined) return false;
    this.#reading.lookThrough(plain);
    this.#at += plain.length;
    this.#add(plain);
    return true;
  }

  #expanded(char: string): void {
    this.#reading.spend(1);
    const next = this.#text[this.#at] ?? "";
    if (char === "`") {
      this.#at += 1;
      this.#add(next);
    } else if (char === "$" && next === "(") {
      this.#add(unknownPart);
      // Deeper ones are not plain any more, and nobody can tell where they end.
      if (this.#deep >= mostDeep) this.#reading.giveUp();
      const inner = new Reader(this.#text, this.#deep + 1, this.#reading, this.#manner, this.#at + 1);
      for (const command of inner.read()) this.#commands.push(command);
      this.#at = inner.#at;
    } else if (char === "$" && variable(this.#text, this.#at) !== "") this.#variable(false);
    else this.#add(char);
  }

  /** @param mayBeSet whether what is put into it may follow, which may be a command */
  #variable(mayBeSet = true): void {
    this.#reading.spend(variableSteps);
    const name = variable(this.#text, this.#at);
    this.#at += name.length;
    if (name === "") {
      this.#add("$");
      return;
    }
    const near = this.#text.slice(this.#at, this.#at + mostName);
    const isFirst = mayBeSet && this.#draft.words.length === 0 && this.#word === undefined;
    const [set] = (isFirst && assignment.exec(near)) || [];
    if (set !== undefined) this.#at += set.length;
    else {
      // Behind other characters a dot is one too.
      if (mayBeSet && this.#word === undefined) this.#at += members.exec(near)![0].length;
      this.#add(this.#isTarget && /^null$/i.test(name) ? "/dev/null" : unknownPart);
    }
  }

  #redirection(): void {
    // The number of a stream stands before it, and `*` for all.
    if (this.#word !== undefined && /^[\d*]$/.test(this.#word)) this.#word = undefined;
    this.#endWord();
    if (this.#text[this.#at] === ">") this.#at += 1;
    if (this.#text[this.#at] === "&") this.#at += 2;
    else this.#isTarget = true;
  }

  /**
   * @param isBlock whether a command ends behind it
   * @param isTable whether names stand in it before what is put under them
   */
  #open(isBlock: boolean, isTable = false): void {
    this.#reading.spend(openSteps);
    this.#at += 1;
    const ends = isBlock || this.#declares();
    this.#outer.push({
      ...{ draft: this.#draft, word: this.#word, isTarget: this.#isTarget },
      ...{ isBlock: ends, isTable: this.#isTable },
    });
    this.#isTable = isTable;
    [this.#draft, this.#word, this.#isTarget] = [newDraft(), undefined, false];
  }

  /** Whether parameters are declared, behind which a command begins. */
  #declares(): boolean {
    const { words } = this.#draft;
    if (words.length > 2) return false;
    const all = this.#word === undefined ? words : [...words, this.#word];
    return /^param$/i.test(all.at(-1) ?? "") && all.slice(0, -1).every((one) => one.startsWith("["));
  }

  #close(): void {
    this.#endCommand();
    const outer = this.#outer.pop();
    if (!outer) {
      this.#hasEnded = this.#isWithin;
      return;
    }
    this.#isTable = outer.isTable;
    this.#draft = outer.draft;
    this.#isTarget = outer.isTarget;
    this.#word = outer.isBlock ? outer.word : `${outer.word ?? ""}${unknownPart}`;
    if (outer.isBlock) this.#endCommand();
  }

  #add(part: string): void {
    this.#word = (this.#word ?? "") + part;
  }

  #endWord(): void {
    const word = this.#word;
    this.#word = undefined;
    if (word === undefined) return;
    const { words, writes } = this.#draft;
    if (this.#isTarget) writes.push(word);
    else if (words.length === 1 && words[0]!.includes(unknownPart) && /^[-+*/%?]{0,2}=$/.test(word))
      words.pop();
    else words.push(word);
    this.#isTarget = false;
  }

  #endCommand(isPiped = false): void {
    this.#endWord();
    this.#reading.spend(5);
    this.#isTarget = false;
    const draft = this.#draft;
    this.#draft = newDraft();
    if (draft.words.length + draft.writes.length > 0) this.#commands.push(Object.assign(draft, { isPiped }));
    else if (isPiped && this.#commands.length > 0) this.#commands.at(-1)!.isPiped = true;
  }
}

/** What the look for the name of a variable costs, and for what may follow it. */
const variableSteps = 10;
/** What a block or a parenthesis costs. */
const openSteps = 25;

/** Characters that mean themselves between quotes, and where variables are put in. */
const plainInQuotes = /[^'"\u2018-\u201e]+/y;
const plainInExpanded = /[^'"`$\u2018-\u201e]+/y;

/** A sign as it is read where it begins something: quotes and dashes of print are quotes and dashes. */
function plainly(char: string): string {
  if (/[\u2018-\u201b]/.test(char)) return "'";
  if (/[\u201c-\u201e]/.test(char)) return '"';
  return /[\u2013-\u2015]/.test(char) ? "-" : char;
}

/** The name of a variable that begins there, with what says where it is from; empty without one. */
function variable(text: string, at: number): string {
  const near = text.slice(at, at + mostName);
  return /^(?:\{[^}]*\}|(?:[A-Za-z_]\w*:)?[A-Za-z_]\w*|\d+|[$?^])/.exec(near)?.[0] ?? "";
}

const mostName = 200;

/** A part of what a variable holds. */
const members = /^(?:\.\w+|\[[^\](]*\])*/;

/** What stands behind a variable, or a part of one, before what is put into it. */
const assignment = /^(?:\.\w+|\[[^\](]*\])*[ \t]*(?:[-+*/%]|\?\?)?=(?!=)/;

function end(text: string, sign: string, from: number): number {
  const at = text.indexOf(sign, from);
  return at < 0 ? text.length : at;
}

function newDraft(): Draft {
  return { words: [], writes: [], fed: "", isPiped: false, isOfPowershell: true };
}
