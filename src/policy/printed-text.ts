import type { Reading } from "./reading.js";
import { unescaped } from "./shell-words.js";

/** What `echo` prints, with and without what it may make of backslashes, and what `printf` does. */
export function printedBy(name: "echo" | "printf", args: readonly string[], reading: Reading): string {
  if (name === "echo") {
    const from = args.findIndex((arg) => !/^-[neE]+$/.test(arg));
    const said = from < 0 ? "" : args.slice(from).join(" ");
    if (!said.includes("\\")) return said;
    reading.spend(said.length);
    return `${said}\n${unescaped(said)}`;
  }
  const [given = "", ...values] = args[0] === "--" ? args.slice(1) : args;
  reading.spend(given.length);
  const format = unescaped(given);
  const texts: string[] = [];
  let length = 0;
  let next = 0;
  do {
    const from = next;
    reading.spend(1 + (format.length >> 2));
    const filled = format.replace(/%(%|[-+ #0]*(?:[1-9]\d*)?(?:\.\d+)?[A-Za-z])/g, (_, kind: string) =>
      kind === "%" ? "%" : printed(values[next++] ?? "", kind),
    );
    texts.push(filled);
    length += filled.length;
    if (next === from) break;
  } while (next < values.length && texts.length < mostTexts && length < mostPrinted);
  return [...texts, ...values.slice(next).map((value) => `\n${value}`)].join("");
}

/** A value as its place in the format has it printed. */
function printed(value: string, kind: string): string {
  return kind.endsWith("b") ? unescaped(value) : value;
}

/** Times that a format is filled, and characters from which it is filled no more. */
const mostTexts = 1_000;
const mostPrinted = 200_000;
