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
  const { contents, errors, warnings } = yield* parse(text, counter);
  const problem = errors[0] ?? warnings[0];
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
function* parse(text: string, lineCounter: LineCounter): Steps<Document.Parsed> {
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
  const compose = (some: readonly CST.Token[]): Document.Parsed => {
    const options = { lineCounter, prettyErrors: false, schema: "core", uniqueKeys: false } as const;
    const [document, more] = new Composer(options).compose(some, true, text.length);
    if (more) invalid(lineCounter.linePos(more.range[0]).line, "it is more than one document");
    return document as Document.Parsed;
  };
  const { outline, lists } = inParts(tokens);
  const document = compose(outline);
  let isWrong = document.errors.length + document.warnings.length > 0;
  for (const pair of isMap(document.contents) ? document.contents.items : []) {
    const list = isCollection(pair.value) ? lists.get(pair.value.range?.[0] ?? -1) : undefined;
    for (const part of list ?? []) {
      if (isWrong) break;
      yield;
      const { contents, errors, warnings } = compose([part]);
      isWrong = errors.length + warnings.length > 0;
      (pair.value as { items: unknown[] }).items.push(...(contents as unknown as { items: unknown[] }).items);
    }
  }
  // What is wrong is told best where all of it is seen.
  return isWrong && lists.size > 0 ? compose(tokens) : document;
}

/**
 * Takes what stands in long lists and maps of the first level out of the tokens, so that it can be made into nodes part
 * by part: by where the list begins, the parts as documents of their own.
 */
function inParts(tokens: readonly CST.Token[]): {
  readonly outline: readonly CST.Token[];
  readonly lists: ReadonlyMap<number, readonly CST.Document[]>;
} {
  const lists = new Map<number, readonly CST.Document[]>();
  const [document, ...more] = tokens.filter((token) => token.type === "document");
  const root = document?.value;
  const isRoot = root?.type === "block-map" || root?.type === "flow-collection";
  // What a directive says of tags holds for one document.
  if (!isRoot || more.length > 0 || tokens.some(({ type }) => type === "directive"))
    return { outline: tokens, lists };
  const items = root.items.map((item) => {
    const parts = partsOf(item);
    if (!parts) return item;
    lists.set(item.value!.offset, parts);
    return { ...item, value: { ...item.value, items: [] } };
  });
  const short: CST.Document = { ...document!, value: { ...root, items } as CST.Token };
  return { outline: tokens.map((token) => (token === document ? short : token)), lists };
}

function partsOf({ value, sep }: CST.CollectionItem): readonly CST.Document[] | undefined {
  if (!value || !("items" in value) || value.items.length <= itemsAPart) return undefined;
  if (sep?.some(({ type }) => type === "tag" || type === "anchor")) return undefined;
  const isFlow = value.type === "flow-collection";
  const items = value.items as readonly CST.CollectionItem[];
  if (isFlow && !items.every((item, n) => isPlainItem(item, n, items.length))) return undefined;
  const { offset } = value;
  const parts: CST.Document[] = [];
  for (let from = 0; from < items.length; from += itemsAPart) {
    const some = items.slice(from, from + itemsAPart);
    // No comma stands before the first one.
    if (isFlow) some[0] = { ...some[0]!, start: some[0]!.start.filter(({ type }) => type !== "comma") };
    parts.push({ type: "document", offset, start: [], value: { ...value, items: some } as CST.Token });
  }
  return parts;
}

/** Whether an item of a flow collection is there, behind one comma; the last comma may have nothing behind it. */
function isPlainItem({ start, key, sep, value }: CST.CollectionItem, n: number, length: number): boolean {
  const commas = start.filter(({ type }) => type === "comma").length;
  const isThere = Boolean(key || sep || value);
  return commas === Math.min(n, 1)
    ? isThere || n === length - 1
    : n === length - 1 && commas === 0 && !isThere;
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
