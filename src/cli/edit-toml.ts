import { Unreadable } from "./edit-json.js";

/** A table or a value of a TOML text, by its whole name. */
interface Named {
  readonly path: readonly string[];
  readonly kind: "table" | "list-of-tables" | "value" | "inline-table";
}

/**
 * Appends a table at the end, where it changes nothing of what stands before it.
 *
 * @returns undefined when something of this name is there already, in whatever form
 * @throws {Unreadable} when the text is no TOML, or a table above it is of a form to which nothing can be added
 */
export function addTomlTable(
  text: string,
  path: readonly string[],
  values: Readonly<Record<string, string | readonly string[]>>,
): string | undefined {
  const named = names(text);
  const begins = (long: readonly string[], short: readonly string[]): boolean =>
    short.every((part, n) => part === long[n]);
  if (named.some((one) => begins(one.path, path))) return undefined;
  const closed = named.find(({ path: above, kind }) => kind !== "table" && begins(path, above));
  if (closed) throw new Unreadable(`${closed.path.join(".")} is not a table that can be added to`);
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const lines = [
    `[${path.join(".")}]`,
    ...Object.entries(values).map(([key, value]) => `${key} = ${tomlValue(value)}`),
  ];
  const before = text === "" || text.endsWith("\n") ? text : text + eol;
  const gap = before.trim() === "" ? "" : eol;
  return before + gap + lines.join(eol) + eol;
}

/**
 * The names of what stands directly below a path, in whatever form.
 *
 * @throws {Unreadable} when the text is no TOML
 */
export function tomlBelow(text: string, path: readonly string[]): readonly string[] {
  const below = names(text).filter(
    (one) => one.path.length > path.length && path.every((part, n) => part === one.path[n]),
  );
  return [...new Set(below.map((one) => one.path[path.length]!))];
}

export function tomlValue(value: string | readonly string[]): string {
  // A basic string of TOML has the escapes of JSON; DEL alone must be escaped besides.
  if (typeof value === "string") return JSON.stringify(value).replaceAll("\u007f", "\\u007F");
  return `[${value.map(tomlValue).join(", ")}]`;
}

const mostDepth = 100;

/** Every table and value of the text, in order; enough of TOML to know that the rest of it is well-formed. */
function names(text: string): readonly Named[] {
  let at = text.startsWith("\ufeff") ? 1 : 0;
  let table: readonly string[] = [];
  const found: Named[] = [];
  const fail = (): never => {
    throw new Unreadable(`it is not TOML (line ${text.slice(0, at).split("\n").length})`);
  };
  const take = (form: RegExp): string | undefined => {
    form.lastIndex = at;
    const match = form.exec(text)?.[0];
    at += match?.length ?? 0;
    return match;
  };
  const blank = /(?:[ \t]+)?/y;
  const empty = /(?:[ \t\r\n]+|#[^\n]*)*/y;
  const lineEnd = /[ \t]*(?:#[^\n]*)?(?:\r?\n|$)/y;
  const basic = /"(?:[^"\\\n]|\\.)*"/y;
  const literal = /'[^'\n]*'/y;
  const long = /"""(?:[^\\]|\\[\s\S])*?"""(?:""?(?!"))?|'''[\s\S]*?'''(?:''?(?!'))?/y;
  const plain = /true\b|false\b|[+-]?(?:inf|nan)\b|[+-]?[\d][\w.:+-]*(?: \d\d:[\w.:+-]+)?/y;

  const key = (): string[] => {
    const parts: string[] = [];
    do {
      take(blank);
      const quoted = take(basic);
      const part = quoted !== undefined ? unquoted(quoted) : (take(literal)?.slice(1, -1) ?? take(/[\w-]+/y));
      parts.push(part ?? fail());
      take(blank);
    } while (take(/\./y));
    return parts;
  };
  const unquoted = (quoted: string): string => {
    try {
      return JSON.parse(quoted) as string;
    } catch {
      return fail();
    }
  };
  const value = (path: readonly string[], depth: number): Named["kind"] => {
    if (depth > mostDepth) return fail();
    take(blank);
    if (take(/\[/y)) {
      for (;;) {
        take(empty);
        if (take(/\]/y)) return "value";
        value(path, depth + 1);
        take(empty);
        if (!take(/,/y) && text[at] !== "]") fail();
      }
    }
    if (take(/\{/y)) {
      take(empty);
      for (let first = true; !take(/\}/y); first = false) {
        if (!first && !take(/,/y)) fail();
        take(empty);
        if (take(/\}/y)) break;
        pair(path, depth + 1);
        take(empty);
      }
      return "inline-table";
    }
    if (!take(long) && !take(basic) && !take(literal) && !take(plain)) fail();
    return "value";
  };
  const pair = (above: readonly string[], depth: number): void => {
    const path = [...above, ...key()];
    if (!take(/=/y)) fail();
    // An array of inline tables names nothing that a table could be.
    found.push({ path, kind: value(path, depth) });
  };
  for (take(empty); at < text.length; take(empty)) {
    if (take(/\[\[/y)) {
      table = key();
      found.push({ path: table, kind: "list-of-tables" });
      if (!take(/\]\]/y)) fail();
    } else if (take(/\[/y)) {
      table = key();
      found.push({ path: table, kind: "table" });
      if (!take(/\]/y)) fail();
    } else pair(table, 0);
    if (take(lineEnd) === undefined) fail();
  }
  return found;
}
