import { visible } from "../addresses/index.js";
import { terminal } from "./terminal.js";

/** Characters that would move the cursor, reorder what is read or not be seen; JSON can say them otherwise. */
const unseen = /(?!\n)[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

export function printLine(text = ""): void {
  terminal().stdout.write(`${text}\n`);
}

/** For programs: the same value for whoever parses it, and nothing in it that a terminal would obey. */
export function printJson(value: unknown, indent: 0 | 2 = 2): void {
  const text = JSON.stringify(value, null, indent);
  printLine(
    text.replace(unseen, (character) =>
      Array.from({ length: character.length }, (_, n) => escaped(character.charCodeAt(n))).join(""),
    ),
  );
}

function escaped(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}

export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string | number;
  /** Numbers read better from the right. */
  readonly right?: boolean;
}

/** For people: columns as wide as their longest cell. What others wrote is made visible and kept on its line. */
export function printTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): void {
  const lines = [
    columns.map(({ head }) => head),
    ...rows.map((row) => columns.map(({ cell }) => onOneLine(String(cell(row)), 60))),
  ];
  const widths = columns.map((_, n) => Math.max(...lines.map((line) => width(line[n]!))));
  for (const line of lines) {
    const cells = line.map((text, n) => {
      const gap = " ".repeat(widths[n]! - width(text));
      return columns[n]!.right ? gap + text : text + gap;
    });
    printLine(cells.join("  ").trimEnd());
  }
}

/** A beginning of a text as one line, in which nothing is hidden. */
export function onOneLine(text: string, most: number): string {
  const line = visible(text.replace(/\s+/g, " ").trim());
  const characters = [...line];
  return characters.length <= most ? line : `${characters.slice(0, most - 1).join("")}…`;
}

/** Terminals give most of the East Asian characters and emoji two columns. */
const wide =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\u{ff01}-\u{ff60}]/u;

function width(text: string): number {
  let columns = 0;
  for (const character of text) columns += wide.test(character) ? 2 : /\p{M}/u.test(character) ? 0 : 1;
  return columns;
}

/** `3 s ago`, `5 min ago`, `2 h ago`, `4 d ago`. */
export function ago(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  if (seconds < 1) return "now";
  return `${lasting(seconds)} ago`;
}

export function lasting(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
