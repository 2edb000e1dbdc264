/** A text that is not JSON, or not of the shape that was expected; it is left alone then. */
export class Unreadable extends Error {
  override readonly name = "Unreadable";
}

type Node =
  | {
      readonly kind: "object";
      readonly start: number;
      readonly end: number;
      readonly members: readonly Member[];
    }
  | { readonly kind: "array"; readonly start: number; readonly end: number; readonly items: readonly Node[] }
  | { readonly kind: "scalar"; readonly start: number; readonly end: number };

interface Member {
  readonly key: string;
  readonly value: Node;
}

/** What a text of JSON holds at a path, as a value; undefined when there is nothing. Comments are allowed. */
export function jsonAt(text: string, path: readonly string[]): unknown {
  let node: Node | undefined = parse(text);
  for (const key of path) node = node?.kind === "object" ? memberOf(node, key) : undefined;
  return node && plainValue(text, node);
}

/**
 * Adds a member to the object at the path, or an item to the array there (`key` undefined), and makes the objects on
 * the way that are missing. Every byte that was there stays, comments too; what is added is indented as its neighbours.
 *
 * @throws {Unreadable} when the text is no JSON, has a key twice on the way, or something else than an object there
 */
export function addToJson(
  text: string,
  path: readonly string[],
  key: string | undefined,
  value: unknown,
): string {
  const source = text.trim() === "" ? "{}\n" : text;
  const root = parse(source);
  let node: Node = root;
  for (const [depth, step] of path.entries()) {
    if (node.kind !== "object")
      throw new Unreadable(`${path.slice(0, depth).join(".") || "it"} is not an object`);
    const next = memberOf(node, step);
    if (!next) {
      // The rest of the way is made at once, as the value of the first step that is missing.
      const inner = key === undefined ? [value] : { [key]: value };
      const made = path.slice(depth + 1).reduceRight<unknown>((below, one) => ({ [one]: below }), inner);
      return insert(source, node, step, made);
    }
    node = next;
  }
  const wanted = key === undefined ? "array" : "object";
  if (node.kind !== wanted) throw new Unreadable(`${path.join(".") || "it"} is not an ${wanted}`);
  return insert(source, node, key, value);
}

function memberOf(node: Node & { kind: "object" }, key: string): Node | undefined {
  const found = node.members.filter((member) => member.key === key);
  if (found.length > 1) throw new Unreadable(`${JSON.stringify(key)} is there twice`);
  return found[0]?.value;
}

function insert(
  text: string,
  node: Exclude<Node, { kind: "scalar" }>,
  key: string | undefined,
  value: unknown,
): string {
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const children = node.kind === "object" ? node.members.map((member) => member.value) : node.items;
  const own = indentAt(text, node.start);
  const unit = /\n([ \t]+)\S/.exec(text)?.[1] ?? "  ";
  const last = children.at(-1);
  const isOnOneLine = !text.slice(node.start, node.end).includes("\n");
  const indent =
    last && !isOnOneLine ? indentAt(text, last.start) : own + (unit.startsWith("\t") ? "\t" : unit);
  const step = unit.startsWith("\t") ? "\t" : indent.slice(own.length) || unit;
  const json = JSON.stringify(value, null, step).replaceAll("\n", `${eol}${indent}`);
  const added = `${eol}${indent}${key === undefined ? "" : `${JSON.stringify(key)}: `}${json}`;
  const close = node.end - 1;
  // Behind whatever stands last, a comment too.
  const at = text.slice(0, close).trimEnd().length;
  const hasLineEnd = text.slice(at, close).includes("\n");
  const tail = text.slice(hasLineEnd ? at : close);
  const between = hasLineEnd ? "" : `${eol}${own}`;
  if (!last) return text.slice(0, at) + added + between + tail;
  const trailing = commaAfter(text, last.end, close);
  const comma = trailing ? "" : ",";
  return (
    text.slice(0, last.end) +
    comma +
    text.slice(last.end, at) +
    added +
    (trailing ? "," : "") +
    between +
    tail
  );
}

/** Whether a comma stands between the last child and the closing bracket, outside of comments. */
function commaAfter(text: string, from: number, to: number): boolean {
  return text
    .slice(from, to)
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")
    .includes(",");
}

/** The white space at the beginning of the line on which this place is. */
function indentAt(text: string, at: number): string {
  return /^[ \t]*/.exec(text.slice(text.lastIndexOf("\n", at - 1) + 1))![0];
}

function plainValue(text: string, node: Node): unknown {
  if (node.kind === "array") return node.items.map((item) => plainValue(text, item));
  if (node.kind === "object")
    return Object.fromEntries(node.members.map(({ key, value }) => [key, plainValue(text, value)]));
  return JSON.parse(text.slice(node.start, node.end)) as unknown;
}

const mostDepth = 100;

/** JSON with comments and trailing commas, as editors write it; where each part of it stands. */
function parse(text: string): Node {
  let at = text.startsWith("\ufeff") ? 1 : 0;
  const fail = (): never => {
    const line = text.slice(0, at).split("\n").length;
    throw new Unreadable(`it is not JSON (line ${line})`);
  };
  const token = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null/y;
  const blank = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
  const skip = (): void => {
    blank.lastIndex = at;
    at += blank.exec(text)![0].length;
  };
  const scalar = (): Node => {
    token.lastIndex = at;
    const found = token.exec(text)?.[0] ?? fail();
    const start = at;
    try {
      JSON.parse(found);
    } catch {
      fail();
    }
    at += found.length;
    return { kind: "scalar", start, end: at };
  };
  const list = (close: string, each: () => void): void => {
    at += 1;
    for (let first = true; ; first = false) {
      skip();
      if (text[at] === close) break;
      if (!first) {
        if (text[at] !== ",") fail();
        at += 1;
        skip();
        if (text[at] === close) break;
      }
      each();
    }
    at += 1;
  };
  const value = (depth: number): Node => {
    skip();
    const start = at;
    if (depth > mostDepth) return fail();
    if (text[at] === "{") {
      const members: Member[] = [];
      list("}", () => {
        if (text[at] !== '"') fail();
        const { start: from, end } = scalar();
        const key = JSON.parse(text.slice(from, end)) as string;
        skip();
        if (text[at] !== ":") fail();
        at += 1;
        members.push({ key, value: value(depth + 1) });
      });
      return { kind: "object", start, end: at, members };
    }
    if (text[at] === "[") {
      const items: Node[] = [];
      list("]", () => void items.push(value(depth + 1)));
      return { kind: "array", start, end: at, items };
    }
    return scalar();
  };
  const root = value(0);
  skip();
  return at < text.length ? fail() : root;
}
