import {
  Composer,
  type CST,
  type Document,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
  type Scalar,
  type YAMLError,
} from "yaml";
import { invalid } from "./invalid.js";
import type { Steps } from "./steps.js";

/** A path into a document: names of fields and places in lists. */
export type Path = readonly PropertyKey[];

/** Rule sets are flat; whatever is deeper is not one. */
const maxDepth = 12;
const tooDeep = `it is nested more than ${maxDepth} deep`;
/** Besides collections, the parser keeps open the document and a scalar; each collection counts once. */
const maxOpen = maxDepth + 3;

/** What is done without a look at the time. */
const lexemesAStep = 100;
const itemsAPart = 20;

/** A YAML document as plain values, of which each knows the line it stands on. */
export interface LinedDocument {
  /** Objects have no prototype, so that `__proto__` and `constructor` are names like others. */
  readonly value: unknown;
  has(path: Path): boolean;
  /** The line of the value, or of what it would belong to where there is none. From 1. */
  lineOf(path: Path): number;
  /** The line of a place within a text, which may be folded over several lines. */
  lineWithin(path: Path, offset: number): number;
}

/**
 * Reads one YAML document. Anchors and aliases are refused: what they expand to has no line of its own, and a few of
 * them expand to more than a machine can hold.
 *
 * @throws {MailboxError} `policy.invalid`
 */
export function* readLined(text: string): Steps<LinedDocument> {
  const counter = new LineCounter();
  const lineAt = (offset: number): number => Math.max(1, counter.linePos(offset).line);
  const { contents, problem } = yield* parse(text, counter);
  if (problem) invalid(lineAt(problem.pos[0]), inWords(problem.code, problem.message));

  const lines = new Map<string, number>();
  const scalars = new Map<string, Scalar>();

  function* read(node: Node | null, path: Path): Steps<unknown> {
    if (path.length <= 2) yield;
    const line = node?.range ? lineAt(node.range[0]) : (lines.get(keyOf(path)) ?? 1);
    if (path.length > maxDepth) invalid(line, tooDeep);
    if (!lines.has(keyOf(path))) lines.set(keyOf(path), line);
    if (node === null) return null;
    if (isScalar(node)) {
      scalars.set(keyOf(path), node);
      return node.value;
    }
    if (isSeq(node)) {
      const items: unknown[] = [];
      for (const item of node.items) items.push(yield* read(item as Node, [...path, items.length]));
      return items;
    }
    if (!isMap(node)) invalid(line, "anchors and aliases are not read; write the value where it is used");
    const fields: Record<string, unknown> = Object.create(null);
    for (const { key, value } of node.items) {
      const at = (key as Node | null)?.range;
      const keyLine = at ? lineAt(at[0]) : line;
      if (!isScalar(key) || typeof key.value === "object")
        invalid(keyLine, "the name of a field is a plain text");
      const name = String(key.value);
      // The parser would compare each name with all before it.
      if (Object.hasOwn(fields, name)) invalid(keyLine, "the same field stands there twice");
      lines.set(keyOf([...path, name]), keyLine);
      fields[name] = yield* read(value as Node | null, [...path, name]);
    }
    return fields;
  }

  const value = yield* read(contents, []);
  const lineOf = (path: Path): number => {
    for (let length = path.length; length >= 0; length--) {
      const line = lines.get(keyOf(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  };
  return {
    value,
    has: (path) => lines.has(keyOf(path)),
    lineOf,
    lineWithin(path, offset) {
      const scalar = scalars.get(keyOf(path));
      if (!scalar?.range || typeof scalar.value !== "string") return lineOf(path);
      return lineAt(sourceOffset(text, scalar, offset));
    },
  };
}

/**
 * Parses one document, of which no part is nested deeper than `maxDepth`. What makes nodes of tokens calls itself for each
 * level, and so near the end of the stack an engine ends the process instead of throwing: the depth is looked at while
 * there are tokens alone, whose parser keeps a list instead.
 */
function* parse(text: string, lineCounter: LineCounter): Steps<Parsed> {
  const parser = new Parser(lineCounter.addNewLine);
  const tokens: CST.Token[] = [];
  lineCounter.addNewLine(0);
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (++lexemes % lexemesAStep === 0) yield;
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > maxOpen) invalid(lineCounter.lineStarts.length, tooDeep);
  }
  tokens.push(...parser.end());
  const lists = partsOf(tokens);
  const compose = (some: readonly CST.Token[]): readonly Document.Parsed[] => {
    const options = { lineCounter, prettyErrors: false, schema: "core", uniqueKeys: false } as const;
    return [...new Composer(options).compose(some, true, text.length)] as Document.Parsed[];
  };
  const [document, more] = compose(tokens);
  if (more) invalid(lineCounter.linePos(more.range[0]).line, "it is more than one document");
  const { contents, errors, warnings } = document!;
  const found = [errors, warnings];
  for (const pair of isMap(contents) ? contents.items : []) {
    const list = isCollection(pair.value) ? lists.get(pair.value.range?.[0] ?? -1) : undefined;
    if (!list) continue;
    const { items } = pair.value as unknown as { readonly items: unknown[] };
    for (const part of list) {
      yield;
      const [composed] = compose([part]);
      items.push(...(composed!.contents as unknown as { readonly items: readonly unknown[] }).items);
      found.push(composed!.errors, composed!.warnings);
    }
  }
  const problems = found.flat().sort((one, other) => one.pos[0] - other.pos[0]);
  return { contents, problem: problems.find(({ name }) => name === "YAMLParseError") ?? problems[0] };
}

interface Parsed {
  readonly contents: Node | null;
  /** The first thing that is wrong, if any is. */
  readonly problem: YAMLError | undefined;
}

/**
 * Takes what stands in long lists and maps of the first level out of the tokens, so that it can be made into nodes part
 * by part: by where the list begins, the parts as documents of their own.
 */
function partsOf(tokens: readonly CST.Token[]): ReadonlyMap<number, readonly CST.Document[]> {
  const parts = new Map<number, readonly CST.Document[]>();
  const documents = tokens.filter((token) => token.type === "document");
  // What a directive says of tags holds for one document.
  if (documents.length !== 1 || tokens.some(({ type }) => type === "directive")) return parts;
  const { value: root } = documents[0]!;
  if (root?.type !== "block-map" && root?.type !== "flow-collection") return parts;
  for (const { value, sep } of root.items) {
    if (!value || !("items" in value) || value.items.length <= itemsAPart) continue;
    if (sep?.some(({ type }) => type === "tag" || type === "anchor")) continue;
    const isFlow = value.type === "flow-collection";
    const items = value.items as CST.FlowCollection["items"];
    if (isFlow && !items.every((item, n) => isPlainItem(item, n, items.length))) continue;
    const { offset } = value;
    const list: CST.Document[] = [];
    for (let from = 0; from < items.length; from += itemsAPart) {
      const some = items.slice(from, from + itemsAPart);
      // No comma stands before the first one.
      if (isFlow) some[0] = { ...some[0]!, start: some[0]!.start.filter(({ type }) => type !== "comma") };
      list.push({ type: "document", offset, start: [], value: { ...value, items: some } as CST.Token });
    }
    (value as { items: unknown[] }).items = [];
    parts.set(offset, list);
  }
  return parts;
}

/** Whether it is told from its neighbours alone what is wrong with an item of a flow collection: it is set off, and there. */
function isPlainItem({ start, ...item }: CST.CollectionItem, n: number, length: number): boolean {
  const isSetOff = n === 0 || start.some(({ type }) => type === "comma");
  const isThere = Boolean(item.key || item.sep || item.value);
  return n === length - 1 ? isSetOff || !isThere : isSetOff && isThere;
}

/**
 * Where in the document a character of a scalar stands. Folding and indentation change white space alone, so that the
 * characters that are none are counted.
 */
function sourceOffset(text: string, scalar: Scalar, offset: number): number {
  let wanted = (scalar.value as string).slice(0, offset).replace(/\s/g, "").length;
  let at = scalar.range![0];
  // The first line of a block says how it is written (`|`, `>-`), and a quote opens the others.
  if (scalar.type?.startsWith("BLOCK")) at = text.indexOf("\n", at) + 1;
  else if (scalar.type?.startsWith("QUOTE")) at++;
  while (at < scalar.range![1] && (wanted > 0 || /\s/.test(text[at]!))) {
    if (!/\s/.test(text[at]!)) wanted--;
    at++;
  }
  return at;
}

function inWords(code: string, message: string): string {
  const said = `it is not YAML: ${message.split("\n", 1)[0]!.replace(/[.:]$/, "")}`;
  const quoting = ["UNEXPECTED_TOKEN", "BLOCK_AS_IMPLICIT_KEY", "MULTILINE_IMPLICIT_KEY", "MISSING_CHAR"];
  return quoting.includes(code)
    ? `${said} (an expression that begins with a quote, or holds ": " or " #", stands in quotes or below a |)`
    : said;
}

function keyOf(path: Path): string {
  return path.map(String).join("\u0000");
}
