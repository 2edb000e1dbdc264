import {
  Composer,
  type CST,
  type Document,
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

/** A path into a document: names of fields and places in lists. */
export type Path = readonly PropertyKey[];

/** Rule sets are flat; whatever is deeper is not one. */
const maxDepth = 12;
const tooDeep = `it is nested more than ${maxDepth} deep`;
/** Besides collections, the parser keeps open the document and a scalar; each collection counts once. */
const maxOpen = maxDepth + 3;

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
export function readLined(text: string): LinedDocument {
  const counter = new LineCounter();
  const lineAt = (offset: number): number => Math.max(1, counter.linePos(offset).line);
  const document = parse(text, counter);
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem) invalid(lineAt(problem.pos[0]), inWords(problem.code, problem.message));

  const lines = new Map<string, number>();
  const scalars = new Map<string, Scalar>();

  function read(node: Node | null, path: Path): unknown {
    const line = node?.range ? lineAt(node.range[0]) : (lines.get(keyOf(path)) ?? 1);
    if (path.length > maxDepth) invalid(line, tooDeep);
    if (!lines.has(keyOf(path))) lines.set(keyOf(path), line);
    if (node === null) return null;
    if (isScalar(node)) {
      scalars.set(keyOf(path), node);
      return node.value;
    }
    if (isSeq(node)) return node.items.map((item, n) => read(item as Node, [...path, n]));
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
      fields[name] = read(value as Node | null, [...path, name]);
    }
    return fields;
  }

  const value = read(document.contents, []);
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
function parse(text: string, lineCounter: LineCounter): Document.Parsed {
  const parser = new Parser(lineCounter.addNewLine);
  const tokens: CST.Token[] = [];
  lineCounter.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > maxOpen) invalid(lineCounter.lineStarts.length, tooDeep);
  }
  tokens.push(...parser.end());
  const composer = new Composer({ lineCounter, prettyErrors: false, schema: "core", uniqueKeys: false });
  const [document, more] = composer.compose(tokens, true, text.length);
  if (more) invalid(lineCounter.linePos(more.range[0]).line, "it is more than one document");
  return document as Document.Parsed;
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
