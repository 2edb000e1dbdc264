import type { Reading } from "./reading.js";

/**
 * A simple command of a shell: its words, quotes taken off, what is fed to it by here-documents and here-strings, and where
 * its redirections lead. It has no words where redirections are all there is.
 */
export interface ShellCommand {
  readonly words: readonly string[];
  /** Files that its redirections make, cut short or add to. */
  readonly writes: readonly string[];
  /** What the shell makes of it: nothing where its end is quoted. */
  readonly fed: string;
  /** What it prints goes to the next one. */
  readonly isPiped: boolean;
  /** Whether it is one of PowerShell, and not of a shell of Unix. */
  readonly isOfPowershell?: boolean;
  /** Substitutions in which it stands, parentheses in the innermost of them, and of these those around its pipe. */
  readonly within?: readonly [substitutions: number, parentheses: number, aroundPipe: number];
}

/** Substitutions within substitutions that are looked into; what is deeper may do anything. */
const mostDeep = 5;

/** Here-documents without an end for which one is looked for. */
const mostEndless = 5;

/** Stands in a word for what only running it would tell. */
export const unknownPart = "\u0000";

/**
 * The simple commands of a shell text, those of its substitutions too, as far as they can be told without running it.
 * What is wrong in it is read as well as it can be; nothing is expanded.
 *
 * @returns them as bash reads the text, and where other shells may read it otherwise, as those do too
 */
export function shellCommands(text: string, reading: Reading): readonly (readonly ShellCommand[])[] {
  const bash: Dialect = { shell: "bash", isMet: false };
  const commands = new Reader(text, 0, reading, bash).read();
  if (!bash.isMet) return [commands];
  const others = (["dash", "zsh"] as const).map((shell): Dialect => ({ shell, isMet: false }));
  return [commands, ...others.map((dialect) => new Reader(text, 0, reading, dialect).read())];
}

/** As which shell a text is read. */
interface Dialect {
  readonly shell: "bash" | "dash" | "zsh";
  /** Whether there was something that another one reads otherwise. */
  isMet: boolean;
}

/** A command that is being read. What is fed to it stands behind the line in which it ends. */
interface Draft {
  words: string[];
  writes: string[];
  fed: string;
  isPiped: boolean;
  within: readonly [substitutions: number, parentheses: number, aroundPipe: number];
}

/** A here-document that begins with the next line. */
interface HereDocument {
  readonly end: string;
  readonly isQuoted: boolean;
  readonly stripsTabs: boolean;
  /** Whether bash calculates there, and others read one. */
  readonly isDoubtful: boolean;
  readonly reader: Draft;
}

class Reader {
  readonly #text: string;
  readonly #deep: number;
  readonly #reading: Reading;
  readonly #dialect: Dialect;
  readonly #commands: Draft[] = [];
  readonly #isWithin: boolean;
  /** Parentheses that are open in it. */
  #open = 0;
  #at: number;
  #draft: Draft;
  #word: string | undefined;
  #isQuoted = false;
  /** Whether a word of the command is quoted, which makes no keyword of any behind it. */
  #hasQuoted = false;
  /** Expansions of parameters that stand in each other there. */
  #parameters = 0;
  /** Of each `case` that has not ended, the parentheses that were open before it. */
  readonly #cases: number[] = [];
  /** Of each list that is put into a variable and has not ended, too. */
  readonly #lists: number[] = [];
  /** The parentheses that were open before the first that stands right behind a word. */
  #glued: number | undefined;
  /** Whether both streams were redirected at once. */
  #redirectsBoth = false;
  /** Whether what was read last of a word is a brace that closes. */
  #isClosing = false;
  /** The redirection before a word: what it names is no word of the command. */
  #redirect: string | undefined;
  /** Within `[[`, where what redirects elsewhere compares. */
  #isTest = false;
  /** Whether the last word of the command is the end of a test. */
  #hasTested = false;
  /** Within a test, from the pattern that a text is matched with, the parentheses that were open before it. */
  #pattern: number | undefined;
  /** Where a subscript or an expression in brackets begins, in which what looks like a here-document is none. */
  #bracket: number | undefined;
  /** Of an expression that is calculated, the parentheses that were open before it; there too. */
  #calculated: number | undefined;
  #documents: HereDocument[] = [];
  /** Here-documents whose end was looked for in all that follows. */
  #endless = 0;
  /** The next word is the end of a here-document. */
  #endsNext: "as it is" | "without tabs" | undefined;
  #isDoubtful = false;
  #isFedNext = false;

  /** @param from behind the parenthesis that opened a substitution, which is read as far as it goes */
  constructor(text: string, deep: number, reading: Reading, dialect: Dialect, from?: number) {
    this.#text = text;
    this.#deep = deep;
    this.#reading = reading;
    this.#dialect = dialect;
    this.#at = from ?? 0;
    this.#isWithin = from !== undefined;
    this.#draft = newDraft(deep, 0);
    if (from !== undefined && calculated(text, from, reading) !== undefined) this.#calculated = -1;
  }

  read(): readonly Draft[] {
    while (this.#at < this.#text.length && this.#open >= 0) {
      this.#reading.spend(1);
      this.#step();
    }
    this.#endCommand();
    return this.#commands;
  }

  /** What the shell makes of a here-document, and the commands that it runs for that. */
  expand(): { readonly text: string; readonly commands: readonly Draft[] } {
    this.#add("");
    while (this.#at < this.#text.length) this.#expanded(plainInDocument, "\\$`");
    return { text: this.#word!, commands: this.#commands };
  }

  #step(): void {
    const text = this.#text;
    const char = text[this.#at++]!;
    switch (char) {
      case "'": {
        const end = text.indexOf("'", this.#at);
        this.#isQuoted = true;
        this.#add(text.slice(this.#at, end < 0 ? undefined : end));
        this.#at = end < 0 ? text.length : end + 1;
        return;
      }
      case '"':
        this.#quoted();
        return;
      case "\\": {
        const next = text[this.#at++] ?? "";
        if (next === "\n") return;
        this.#isQuoted = true;
        this.#add(next);
        return;
      }
      case "$":
        if (text[this.#at] === "'" && this.#dialect.shell !== "dash") this.#escaped();
        // Quotes of a text that is translated are quotes.
        else if (text[this.#at] !== '"') this.#substitution(char);
        return;
      case "`":
        this.#substitution(char);
        return;
      case "#":
        if (this.#word !== undefined || this.#isLiteral()) this.#add(char);
        else this.#at = this.#lineEnd();
        return;
      case "<":
      case ">":
        this.#redirection(char);
        return;
      case "\n":
        this.#endCommand();
        this.#endTest();
        this.#hereDocuments();
        return;
      case " ":
      case "\t":
        this.#endWord();
        return;
      case "\r":
        // Only at the end of a line, and of a text from Windows, the lines of a here-document have one too.
        if ((text[this.#at] ?? "\n") !== "\n" || (this.#endsNext && this.#word !== undefined))
          this.#add(char);
        else this.#endWord();
        return;
      case "|":
        this.#noList();
        if (text[this.#at] !== "|") this.#endCommand(true);
        else {
          this.#at += 1;
          if (this.#open === this.#pattern) this.#pattern = undefined;
          this.#endCommand();
        }
        return;
      case "&":
        this.#noList();
        // Both streams at once.
        if (text[this.#at] === ">" && this.#dialect.shell !== "dash") {
          this.#endWord();
          this.#at += 1;
          this.#redirectsBoth = true;
          this.#redirection(">");
          return;
        }
        if (this.#open === this.#pattern) this.#pattern = undefined;
        this.#endCommand();
        return;
      case ";":
        this.#noList();
        this.#endCommand();
        this.#endTest();
        return;
      case "(":
        this.#parenthesis();
        this.#open += 1;
        this.#endCommand();
        return;
      case ")":
        this.#endWord();
        // A pattern of `case` has one more, which closes nothing.
        if (this.#cases.at(-1) !== this.#open && (this.#open > 0 || this.#isWithin)) this.#open -= 1;
        if (this.#open === this.#calculated) this.#calculated = undefined;
        if (this.#glued !== undefined && this.#open <= this.#glued) this.#glued = undefined;
        this.#endCommand();
        if (this.#lists.at(-1) === this.#open) {
          this.#lists.pop();
          // What stands right behind a list belongs to the assignment.
          if (!/^[\s|&;()<>]?$/.test(text[this.#at] ?? "")) this.#add("_=");
        }
        return;
      default:
        this.#at -= 1;
        this.#characters();
    }
  }

  /** What means itself in a word, up to where a shell may begin something. */
  #characters(): void {
    const [text, before, from] = [this.#text, this.#word, this.#at];
    if (before === undefined && text[from] === "{" && this.#beginsGroup()) return;
    if (!this.#plain(plainInWord)) throw new Error(`no case for ${JSON.stringify(text[from])}`);
    this.#isClosing = text[this.#at - 1] === "}";
    const bracket = text.slice(from, this.#at).indexOf("[");
    const name = (before ?? "") + text.slice(from, from + bracket);
    if (bracket < 0 || this.#isQuoted || !this.#isAssigned(name)) return;
    this.#at = from + bracket + 1;
    this.#word = `${name}[`;
    this.#subscript();
  }

  /** Whether a bracket behind the name begins a subscript, which bash reads to its end whatever stands in it. */
  #isAssigned(name: string): boolean {
    if (this.#dialect.shell !== "bash" || this.#isTest || this.#calculated !== undefined) return false;
    if (this.#redirect !== undefined || this.#endsNext || this.#isFedNext) return false;
    if (name === "") return this.#isInList();
    const { words } = this.#draft;
    this.#reading.spend(words.length);
    return isName.test(name) && words.every((word) => keywords.has(word) || isAssignment.test(word));
  }

  #subscript(): void {
    const [text, word, from] = [this.#text, this.#word!, this.#at];
    let open = 1;
    while (this.#at < text.length) {
      this.#reading.spend(1);
      const char = text[this.#at++]!;
      if (char === "[") open += 1;
      else if (char === "]" && --open === 0) break;
      else if (char === "\\") this.#at += 1;
      else if (char === '"') this.#quoted();
      else if (char === "'") this.#at = text.indexOf("'", this.#at) + 1 || text.length;
      else if (char === "$" && text[this.#at] === "'") this.#escaped();
      else if (char === "$" || char === "`") this.#substitution(char);
    }
    const inner = text.slice(from, this.#at - 1);
    if (/[\s'"\\|&;()<>#]/.test(inner)) this.#dialect.isMet = true;
    this.#isQuoted = false;
    this.#word = `${word}${/^\w*$/.test(inner) ? inner : ""}]`;
  }

  /** Whether zsh begins a group there, for which it wants no blank behind the brace. */
  #beginsGroup(): boolean {
    const [begin] = /^\{(?:[^\s{}'"\\$`#<>|&;()]*\}?)/.exec(
      this.#text.slice(this.#at, this.#at + mostParameter),
    )!;
    if (
      begin === "{" ? /^\s?$/.test(this.#text[this.#at + 1] ?? "") : begin.endsWith("}") && !this.#isFirst()
    )
      return false;
    if (this.#redirect !== undefined || this.#endsNext || this.#isFedNext) return false;
    this.#dialect.isMet = true;
    if (this.#dialect.shell !== "zsh") return false;
    this.#at += 1;
    this.#add("{");
    this.#endWord();
    return true;
  }

  /** Whether the command begins with the next word. */
  #isFirst(): boolean {
    const { words } = this.#draft;
    return words.length < mostKeywords && words.every((one) => keywords.has(one));
  }

  #isInList(): boolean {
    return this.#lists.length > 0 && this.#lists.at(-1) === this.#open - 1;
  }

  /** In a list bash reads nothing further of a line with what does not belong there, and goes on with the next one. */
  #noList(): void {
    if (this.#isInList()) this.#reading.giveUp();
  }

  #parenthesis(): void {
    this.#noList();
    if (this.#word !== undefined && !this.#isQuoted && isEmptyAssignment.test(this.#word)) {
      this.#lists.push(this.#open);
      return;
    }
    if (this.#word !== undefined) this.#glued ??= this.#open;
    if (this.#calculated !== undefined) return;
    if (this.#text[this.#at] !== "(") return;
    if (isEndDoubtful(this.#text, this.#at, this.#reading)) this.#reading.giveUp();
    const inner = calculated(this.#text, this.#at, this.#reading);
    if (inner === undefined) return;
    // To dash, these are commands in parentheses.
    if (/(?:^|[\s(])#|\bcase\b/.test(inner)) this.#dialect.isMet = true;
    if (this.#dialect.shell !== "dash") this.#calculated = this.#open;
  }

  /** Whether a hash begins no comment there, but stands in an expression or a pattern. */
  #isLiteral(): boolean {
    if (this.#calculated !== undefined || (this.#pattern !== undefined && this.#open > this.#pattern))
      return true;
    // In parentheses that zsh takes for a pattern.
    if (!this.#isTest && this.#glued === undefined && this.#text[this.#at - 2] !== "(") return false;
    this.#dialect.isMet = true;
    return this.#dialect.shell === "zsh";
  }

  #endTest(): void {
    this.#isTest = false;
    this.#pattern = undefined;
  }

  #quoted(): void {
    const text = this.#text;
    this.#isQuoted = true;
    this.#add("");
    while (this.#at < text.length) {
      if (text[this.#at] === '"') {
        this.#at += 1;
        return;
      }
      this.#expanded(plainInQuotes, '\\$`"');
    }
  }

  /** What stands there as it is, as far as that goes. Answers whether there was some. */
  #plain(all: RegExp): boolean {
    all.lastIndex = this.#at;
    const [plain] = all.exec(this.#text) ?? [];
    if (plain === undefined) return false;
    this.#reading.lookThrough(plain);
    this.#at += plain.length;
    this.#add(plain);
    return true;
  }

  /** Where blanks are characters too, those that are, or one more; a backslash is one, unless it stands before one of those given. */
  #expanded(plain: RegExp, escapable: string): void {
    if (this.#plain(plain)) return;
    this.#reading.spend(1);
    const char = this.#text[this.#at++]!;
    const next = this.#text[this.#at] ?? "";
    if (char === "$" || char === "`") this.#substitution(char, escapable, true);
    else if (char !== "\\" || (next !== "\n" && !escapable.includes(next))) this.#add(char);
    else {
      this.#at += 1;
      if (next !== "\n") this.#add(next);
    }
  }

  /** A text in which what stands behind a backslash may be a character by its number. */
  #escaped(): void {
    const [whole, inner] = /^'((?:[^'\\]+|\\.)*)'?/s.exec(this.#text.slice(this.#at)) ?? ["", ""];
    this.#at += whole.length;
    // To dash, the quote behind the sign is one as everywhere.
    if (inner!.includes("'")) this.#dialect.isMet = true;
    this.#reading.spend(1 + (inner!.includes("\\") ? whole.length : whole.length >> 4));
    this.#isQuoted = true;
    this.#add(unescaped(inner!));
  }

  /**
   * @param escapable what a backslash makes a character of where it stands
   * @param isQuoted whether it stands between double quotes or in a here-document
   */
  #substitution(char: string, escapable = "\\$`", isQuoted = false): void {
    const text = this.#text;
    // The end of a here-document is what is written.
    if (this.#endsNext) {
      if (char === "`" || /[({]/.test(text[this.#at] ?? "")) this.#reading.giveUp();
      this.#add(char);
      return;
    }
    // A sign of the dollar alone is one.
    if (char === "$" && !/[\w@*#?!${([-]/.test(text[this.#at] ?? "")) {
      this.#add(char);
      return;
    }
    this.#reading.spend(5);
    this.#add(unknownPart);
    const isCommand = char === "`" || text[this.#at] === "(";
    if (!isCommand && text[this.#at] === "{") {
      // To some shells, what follows are commands.
      if (/[\s|]/.test(text[this.#at + 1] ?? "")) this.#reading.giveUp();
      if (this.#parameters >= mostDeep) this.#reading.giveUp();
      this.#parameter(isQuoted);
      return;
    }
    if (!isCommand) {
      if (text[this.#at] === "[") this.#bracket = this.#at;
      const name = /^(?:[A-Za-z_]\w*|[\d@*#?!$-])/.exec(text.slice(this.#at, this.#at + 200))?.[0] ?? "";
      this.#at += name.length;
      return;
    }
    if (this.#deep >= mostDeep) this.#reading.giveUp();
    this.#reading.spend(10);
    if (char === "$") {
      const inner = new Reader(text, this.#deep + 1, this.#reading, this.#dialect, this.#at + 1);
      this.#take(inner.read());
      this.#at = inner.#at;
      // What they hold stands behind the line in which the substitution ends.
      this.#documents.push(...inner.#documents);
      return;
    }
    const inner = this.#untilBacktick(escapable);
    this.#take(new Reader(inner, this.#deep + 1, this.#reading, this.#dialect).read());
  }

  /** A substitution may stand in another one behind backslashes. */
  #untilBacktick(escapable: string): string {
    const text = this.#text;
    let inner = "";
    let from = this.#at;
    for (; this.#at < text.length && text[this.#at] !== "`"; this.#at++) {
      if (text[this.#at] !== "\\") continue;
      if (escapable.includes(text[this.#at + 1] ?? "\n")) {
        inner += text.slice(from, this.#at);
        from = this.#at + 1;
      }
      this.#at += 1;
    }
    inner += text.slice(from, this.#at);
    this.#reading.lookThrough(inner);
    this.#at += 1;
    return inner;
  }

  /** A parameter in braces, to whose end quotes and substitutions stand as everywhere. */
  #parameter(isInQuotes: boolean): void {
    const [text, word, isQuoted, from] = [this.#text, this.#word, this.#isQuoted, this.#at];
    this.#reading.spend(10);
    this.#parameters += 1;
    const isDefault = isInQuotes && !hasPattern.test(text.slice(this.#at, this.#at + mostParameter));
    this.#at += 1;
    while (this.#at < text.length) {
      const char = text[this.#at++]!;
      if (char === "}") break;
      if (char === "\\") this.#at += 1;
      else if (char === '"') this.#quoted();
      else if (char === "'" && isDefault && this.#isCharacter()) continue;
      else if (char === "'") this.#at = text.indexOf("'", this.#at) + 1 || text.length + 1;
      else if (char === "$" && text[this.#at] === "'" && this.#dialect.shell !== "dash") this.#escaped();
      else if (char === "$" || char === "`") this.#substitution(char, undefined, isInQuotes);
      else if ((char === "<" || char === ">") && text[this.#at] === "(") this.#substitution("$");
    }
    this.#parameters -= 1;
    this.#reading.spend((this.#at - from) >> 2);
    [this.#word, this.#isQuoted] = [word, isQuoted];
  }

  /** Whether a single quote is one there, on which shells do not agree. */
  #isCharacter(): boolean {
    this.#dialect.isMet = true;
    return this.#dialect.shell !== "bash";
  }

  /** One by one: they may be more than arguments of a call can be. */
  #take(commands: readonly Draft[]): void {
    this.#reading.spend(commands.length);
    for (const command of commands) this.#commands.push(command);
  }

  #redirection(char: string): void {
    const text = this.#text;
    // What redirects may stand right behind the end of a test.
    if (this.#isTest && this.#word === "]]" && !this.#isQuoted) this.#endWord();
    if (this.#isTest || this.#calculated !== undefined) {
      this.#add(char);
      return;
    }
    // The number of a stream stands before its redirection, or the variable that takes it.
    if (this.#word !== undefined && !this.#isQuoted && /^(?:\d{1,9}|\{[A-Za-z_]\w{0,99}\})$/.test(this.#word))
      this.#word = undefined;
    if (text[this.#at] !== "(") this.#noList();
    if (char === "<" && text[this.#at] === "<" && text[this.#at + 1] !== "<") {
      this.#isDoubtful = this.#isInBrackets();
      this.#at += 1;
      const stripsTabs = text[this.#at] === "-";
      if (stripsTabs) this.#at += 1;
      this.#endWord();
      this.#endsNext = stripsTabs ? "without tabs" : "as it is";
      return;
    }
    if (text[this.#at] === "(") {
      this.#pipe();
      return;
    }
    if (char === "<" && text.startsWith("<<", this.#at)) {
      this.#at += 2;
      this.#endWord();
      this.#isFedNext = true;
      return;
    }
    this.#endWord();
    const from = this.#at;
    while (/[<>&|]/.test(text[this.#at] ?? "")) this.#at += 1;
    this.#redirect = char + text.slice(from, this.#at);
  }

  /** Whether a subscript of an assignment, or an expression in brackets, was begun there and has not ended. */
  #isInBrackets(): boolean {
    if (this.#bracket !== undefined) {
      const between = this.#text.slice(this.#bracket, this.#at);
      this.#reading.lookThrough(between);
      if (!between.includes("]")) return true;
    }
    if (this.#hasQuoted || this.#isQuoted) return false;
    const words = [...this.#draft.words, ...(this.#word === undefined ? [] : [this.#word])];
    this.#reading.spend(words.length);
    const from = words.findIndex((word) => !keywords.has(word) && !/^[A-Za-z_]\w*\+?=/.test(word));
    return /^[A-Za-z_]\w*\[/.test(words[from] ?? "") && !words.slice(from).some((word) => word.includes("]"));
  }

  /** A command in place of a file, which the system calls by a name like this one. */
  #pipe(): void {
    const word = this.#word ?? "";
    this.#substitution("$");
    this.#word = `${word}/dev/fd/63`;
  }

  #hereDocuments(): void {
    for (const document of this.#documents.splice(0)) {
      this.#reading.spend(10);
      const { isQuoted, isDoubtful, reader } = document;
      if (this.#endless >= mostEndless && !isDoubtful) this.#reading.giveUp();
      const from = this.#at;
      const { text, hasEnd } = this.#body(document);
      if (isDoubtful) {
        if (hasEnd) this.#reading.giveUp();
        this.#at = from;
        continue;
      }
      if (!hasEnd) {
        // What only looks like one, as a shift of bits does, is followed by commands.
        this.#at = from;
        // All that follows is fed to one alone, for each text would be read as often as there are such in it, at each depth.
        if (this.#endless++ > 0) continue;
      }
      if (isQuoted) reader.fed += text;
      else {
        const expanded = new Reader(text, this.#deep + 1, this.#reading, this.#dialect).expand();
        reader.fed += expanded.text;
        this.#take(expanded.commands);
      }
    }
  }

  #body({ end, isQuoted, stripsTabs }: HereDocument): { readonly text: string; readonly hasEnd: boolean } {
    const body: string[] = [];
    while (this.#at < this.#text.length) {
      const parts = [this.#line()];
      // A line that goes on is no end, whatever stands in the next one.
      while (!isQuoted && goesOn(parts.at(-1)!) && this.#at < this.#text.length)
        parts.push(parts.pop()!.slice(0, -1), this.#line());
      const line = stripsTabs ? parts.join("").replace(/^\t+/, "") : parts.join("");
      if (line === end) return { text: `${body.join("\n")}\n`, hasEnd: true };
      body.push(line);
    }
    return { text: `${body.join("\n")}\n`, hasEnd: false };
  }

  #line(): string {
    const lineEnd = this.#lineEnd();
    const line = this.#text.slice(this.#at, lineEnd);
    this.#reading.spend(2 + (line.length >> 6));
    this.#at = lineEnd + 1;
    return line;
  }

  #lineEnd(): number {
    const end = this.#text.indexOf("\n", this.#at);
    return end < 0 ? this.#text.length : end;
  }

  #add(part: string): void {
    this.#word = (this.#word ?? "") + part;
    this.#isClosing = false;
  }

  #endWord(): void {
    const [word, isQuoted, isClosing] = [this.#word, this.#isQuoted, this.#isClosing];
    this.#word = undefined;
    this.#isQuoted = false;
    this.#isClosing = false;
    if (word === undefined) return;
    this.#reading.spend(2);
    if (this.#endsNext) {
      const stripsTabs = this.#endsNext === "without tabs";
      if (stripsTabs && word.startsWith("\t")) this.#reading.giveUp();
      const isDoubtful = this.#isDoubtful;
      this.#documents.push({ end: word, isQuoted, stripsTabs, isDoubtful, reader: this.#draft });
    } else if (this.#isFedNext) this.#draft.fed += `${word}\n`;
    else if (this.#redirect === undefined) {
      // To dash, a command began before that.
      if (this.#redirectsBoth) this.#dialect.isMet = true;
      if (isClosing && this.#closesGroup(word)) return;
      // Behind the end of a test, what depends on it may follow with nothing between.
      if (this.#hasTested || (this.#draft.words.at(-1) === "]]" && this.#endsTest())) this.#endCommand();
      if (this.#isTest && word === "=~") this.#pattern ??= this.#open;
      if (word === "]]") {
        this.#hasTested = this.#isTest;
        this.#endTest();
      } else if (!isQuoted && !this.#hasQuoted) this.#keyword(word);
      this.#hasQuoted ||= isQuoted;
      this.#draft.words.push(word);
    } else if (leadsToFile(this.#redirect, word)) {
      this.#draft.writes.push(word);
      // As zsh is told to write over a file.
      if (word === "!" && !isQuoted) {
        this.#dialect.isMet = true;
        if (this.#dialect.shell === "zsh") return;
      }
      if (/^!./s.test(word)) this.#draft.writes.push(word.slice(1));
    }
    this.#endsNext = undefined;
    this.#isFedNext = false;
    this.#redirect = undefined;
  }

  /** Ends a group as zsh does, for which it wants no other end of the command before the brace. */
  #closesGroup(word: string): boolean {
    if (word === "}" ? this.#draft.words.length === 0 : word.includes("{")) return false;
    this.#dialect.isMet = true;
    if (this.#dialect.shell !== "zsh") return false;
    if (word !== "}") this.#draft.words.push(word.slice(0, -1));
    this.#endCommand();
    this.#draft.words.push("}");
    return true;
  }

  /** Whether zsh may have come to the end of a test of several lines, or of one behind other words than ours. */
  #endsTest(): boolean {
    this.#dialect.isMet = true;
    return this.#dialect.shell === "zsh";
  }

  /** What follows a word is read otherwise where it begins a test, or begins or ends a `case`. */
  #keyword(word: string): void {
    if (word !== "[[" && word !== "case" && word !== "esac") return;
    if (this.#calculated !== undefined || this.#isInList()) return;
    const { words } = this.#draft;
    const isFirst = this.#isFirst();
    if (word === "[[") this.#isTest ||= isFirst;
    else if (word === "case") {
      if (isFirst) this.#cases.push(this.#open);
    } else if (isFirst || (words.at(-1) === "in" && words.at(-3) === "case")) this.#cases.pop();
  }

  #endCommand(isPiped = false): void {
    this.#endWord();
    this.#reading.spend(5);
    const draft = this.#draft;
    this.#draft = newDraft(this.#deep, this.#open);
    this.#hasQuoted = false;
    this.#hasTested = false;
    this.#redirectsBoth = false;
    this.#bracket = undefined;
    this.#isFedNext = false;
    this.#redirect = undefined;
    const last = this.#commands.at(-1);
    if (draft.words.length > 0) this.#commands.push(Object.assign(draft, { isPiped }));
    else if (last) {
      // Of a group, what its last command prints and what that is fed.
      if (isPiped) {
        last.isPiped = true;
        last.within = [last.within[0], last.within[1], this.#open];
      }
      for (const path of draft.writes) last.writes.push(path);
      last.fed += draft.fed;
      // Its own are those that were begun last.
      for (let n = this.#documents.length - 1; this.#documents[n]?.reader === draft; n--)
        this.#documents[n] = { ...this.#documents[n]!, reader: last };
    } else if (draft.writes.length > 0) this.#commands.push(Object.assign(draft, { isPiped }));
  }
}

function newDraft(deep: number, open: number): Draft {
  return { words: [], writes: [], fed: "", isPiped: false, within: [deep, open, open] };
}

/** Whether a file is written there, and not read, and no other stream is meant. */
function leadsToFile(redirect: string, word: string): boolean {
  if (!redirect.includes(">") || word === "") return false;
  return !(redirect.endsWith("&") && /^\d*-?$/.test(word));
}

/** Words of the shell after which a command begins. */
export const keywords = new Set(["{", "!", "if", "then", "elif", "else", "while", "until", "do", "always"]);

const isName = /^[A-Za-z_]\w{0,200}$/;
/** A word, or the beginning of one, that gives a variable its value. */
export const isAssignment = /^[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=/;
const isEmptyAssignment = /^[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=$/;

const mostKeywords = 20;

/** A parameter of whose value something is taken by a pattern, or a part: quotes are some there to each shell. */
const hasPattern = /^\{!?(?:\w+|[@*#?!$-])(?:\[[^\]]*\])?(?:[#%/^,@]|:[^-=+?])/;
const mostParameter = 200;

/** Characters that mean themselves: in a word, between quotes, and in a here-document. */
const plainInWord = /[^'"\\$`#<>\n \t\r|&;()]+/y;
const plainInQuotes = /[^"\\$`]+/y;
const plainInDocument = /[^\\$`]+/y;

/** How far the end of an expression is looked for that is calculated. */
const mostCalculated = 200;

/** What stands in the parenthesis at `at`, where that is the second of two that close together; undefined without one. */
function calculated(text: string, at: number, reading: Reading): string | undefined {
  if (text[at] !== "(") return undefined;
  reading.spend(mostCalculated / 4);
  const near = text.slice(at + 1, at + 1 + mostCalculated);
  const end = closing(near, 0);
  // Quotes in which a parenthesis stands leave it open which ones close together.
  const isPlain = !near
    .slice(0, Math.max(end, 0))
    .replace(/"[^"()]*"/g, "")
    .includes('"');
  return end >= 0 && near[end + 1] === ")" && isPlain ? near.slice(0, end) : undefined;
}

/** Whether it is left open where an expression ends that is a command: not each shell knows quotes in there. */
function isEndDoubtful(text: string, at: number, reading: Reading): boolean {
  reading.spend(mostCalculated / 4);
  const near = text.slice(at + 1, at + 1 + mostCalculated);
  const end = closing(near.replace(/['"\\]/g, " "), 0);
  if (text[at] !== "(" || end < 0 || near[end + 1] !== ")") return false;
  const inner = near.slice(0, end);
  const isOdd = [/'/g, /"/g, /`/g].some((sign) => (inner.match(sign)?.length ?? 0) % 2 === 1);
  return isOdd || /\\['"`]/.test(inner) || inner.replace(/\$\{[^{}]*\}/g, "").includes("${");
}

/** Whether a backslash takes the end of the line away, and not another one that of the backslash. */
function goesOn(line: string): boolean {
  let at = line.length;
  while (line[at - 1] === "\\") at -= 1;
  return (line.length - at) % 2 === 1;
}

const blanks: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** A text in which what stands behind a backslash may be a character by its number. */
export function unescaped(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|(0?[0-7]{1,3})|(.))/gs,
    (_, hex?: string, short?: string, long?: string, octal?: string, plain?: string) => {
      if (plain !== undefined) return blanks[plain] ?? plain;
      const code = Number.parseInt(hex ?? short ?? long ?? octal!, octal === undefined ? 16 : 8);
      return code <= 0x10_ff_ff ? String.fromCodePoint(code) : "";
    },
  );
}

/** Where the parenthesis closes that was opened before `from`; -1 where it never does. */
function closing(text: string, from: number): number {
  let open = 1;
  for (let at = from; at < text.length; at++) {
    const char = text[at];
    if (char === "\\") at += 1;
    else if (char === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) return -1;
      at = end;
    } else if (char === "(") open += 1;
    else if (char === ")" && --open === 0) return at;
  }
  return -1;
}
