/** A simple command of a shell: its words, quotes taken off, and what is fed to it by here-documents and here-strings. */
export interface ShellCommand {
  readonly words: readonly string[];
  readonly fed: string;
  /** What it prints goes to the next one. */
  readonly isPiped: boolean;
}

/** Substitutions within substitutions that are looked into; deeper ones are not plain any more. */
const mostDeep = 5;

/** Stands in a word for what only running it would tell. */
export const unknownPart = "\u0000";

/**
 * The simple commands of a shell text, those of its substitutions too, as far as they can be told without running it.
 * What is wrong in it is read as well as it can be; nothing is expanded.
 */
export function shellCommands(text: string, deep = 0): readonly ShellCommand[] {
  return new Reader(text, deep).read();
}

class Reader {
  readonly #text: string;
  readonly #deep: number;
  readonly #commands: ShellCommand[] = [];
  #at = 0;
  #words: string[] = [];
  #word: string | undefined;
  /** What a redirection names is no word of the command. */
  #isTarget = false;
  /** Ends of here-documents that begin with the next line. */
  #ends: string[] = [];
  #endsNext = false;
  #fed = "";
  #isFedNext = false;

  constructor(text: string, deep: number) {
    this.#text = text;
    this.#deep = deep;
  }

  read(): readonly ShellCommand[] {
    while (this.#at < this.#text.length) this.#step();
    this.#endCommand();
    return this.#commands;
  }

  #step(): void {
    const text = this.#text;
    const char = text[this.#at++]!;
    switch (char) {
      case "'": {
        const end = text.indexOf("'", this.#at);
        this.#add(text.slice(this.#at, end < 0 ? undefined : end));
        this.#at = end < 0 ? text.length : end + 1;
        return;
      }
      case '"':
        this.#quoted();
        return;
      case "\\": {
        const next = text[this.#at++] ?? "";
        if (next !== "\n") this.#add(next);
        return;
      }
      case "$":
        if (text[this.#at] === "'") this.#escaped();
        // Quotes of a text that is translated are quotes.
        else if (text[this.#at] !== '"') this.#substitution(char);
        return;
      case "`":
        this.#substitution(char);
        return;
      case "#":
        if (this.#word === undefined) this.#at = this.#lineEnd();
        else this.#add(char);
        return;
      case "<":
      case ">":
        this.#redirection(char);
        return;
      case "\n":
        this.#endCommand();
        this.#hereDocuments();
        return;
      case " ":
      case "\t":
      case "\r":
        this.#endWord();
        return;
      case "|":
        if (text[this.#at] !== "|") this.#endCommand(true);
        else {
          this.#at += 1;
          this.#endCommand();
        }
        return;
      case ";":
      case "&":
      case "(":
      case ")":
        this.#endCommand();
        return;
      default:
        this.#add(char);
    }
  }

  #quoted(): void {
    const text = this.#text;
    this.#add("");
    while (this.#at < text.length) {
      const char = text[this.#at++]!;
      if (char === '"') return;
      if (char === "\\") this.#add(text[this.#at++] ?? "");
      else if (char === "$" || char === "`") this.#substitution(char);
      else this.#add(char);
    }
  }

  /** A text in which what stands behind a backslash may be a character by its number. */
  #escaped(): void {
    const [whole, inner] = /^'((?:[^'\\]+|\\.)*)'?/s.exec(this.#text.slice(this.#at)) ?? ["", ""];
    this.#at += whole.length;
    this.#add(
      inner!.replace(
        /\\(?:x([0-9a-f]{1,2})|u([0-9a-f]{1,4})|([0-7]{1,3})|(.))/gis,
        (_, hex?: string, unicode?: string, octal?: string, plain?: string) =>
          plain !== undefined
            ? (blanks[plain] ?? plain)
            : String.fromCharCode(Number.parseInt(hex ?? unicode ?? octal!, octal === undefined ? 16 : 8)),
      ),
    );
  }

  #substitution(char: string): void {
    const text = this.#text;
    this.#add(unknownPart);
    const isCommand = char === "`" || text[this.#at] === "(";
    if (!isCommand) {
      const name = /^(?:\{[^}]*\}|[\w@*#?!-]+)/.exec(text.slice(this.#at, this.#at + 200))?.[0] ?? "";
      this.#at += name.length;
      return;
    }
    const from = char === "`" ? this.#at : this.#at + 1;
    const end = char === "`" ? text.indexOf("`", from) : closing(text, from);
    const inner = text.slice(from, end < 0 ? undefined : end);
    this.#at = end < 0 ? text.length : end + 1;
    if (this.#deep < mostDeep) this.#commands.push(...shellCommands(inner, this.#deep + 1));
  }

  #redirection(char: string): void {
    const text = this.#text;
    // The number of a stream stands before its redirection.
    if (this.#word !== undefined && /^\d$/.test(this.#word)) this.#word = undefined;
    if (char === "<" && text[this.#at] === "<" && text[this.#at + 1] !== "<") {
      this.#at += 1;
      if (text[this.#at] === "-") this.#at += 1;
      this.#endWord();
      this.#endsNext = true;
      return;
    }
    if (text[this.#at] === "(") {
      this.#substitution("$");
      return;
    }
    if (char === "<" && text.startsWith("<<", this.#at)) {
      this.#at += 2;
      this.#endWord();
      this.#isFedNext = true;
      return;
    }
    this.#endWord();
    while (/[<>&|]/.test(text[this.#at] ?? "")) this.#at += 1;
    this.#isTarget = true;
  }

  #hereDocuments(): void {
    for (const end of this.#ends.splice(0)) {
      const body: string[] = [];
      while (this.#at < this.#text.length) {
        const lineEnd = this.#lineEnd();
        const line = this.#text.slice(this.#at, lineEnd);
        this.#at = lineEnd + 1;
        if (line.trim() === end) break;
        body.push(line);
      }
      // It belongs to the command whose line it follows.
      const last = this.#commands.pop() ?? { words: [], fed: "", isPiped: false };
      this.#commands.push({ ...last, fed: `${last.fed}${body.join("\n")}\n` });
    }
  }

  #lineEnd(): number {
    const end = this.#text.indexOf("\n", this.#at);
    return end < 0 ? this.#text.length : end;
  }

  #add(part: string): void {
    this.#word = (this.#word ?? "") + part;
  }

  #endWord(): void {
    const word = this.#word;
    this.#word = undefined;
    if (word === undefined) return;
    if (this.#endsNext) this.#ends.push(word);
    else if (this.#isFedNext) this.#fed += `${word}\n`;
    else if (!this.#isTarget) this.#words.push(word);
    this.#endsNext = false;
    this.#isFedNext = false;
    this.#isTarget = false;
  }

  #endCommand(isPiped = false): void {
    this.#endWord();
    if (this.#words.length > 0) this.#commands.push({ words: this.#words, fed: this.#fed, isPiped });
    // Of a group, what its last command prints.
    else if (isPiped && this.#commands.length > 0)
      this.#commands.push({ ...this.#commands.pop()!, isPiped: true });
    this.#words = [];
    this.#fed = "";
    this.#isFedNext = false;
    this.#isTarget = false;
  }
}

const blanks: Readonly<Record<string, string>> = { n: "\n", r: "\n", t: "\t" };

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
