import { optionsEnd, takesNext, valueInWord } from "./command-options.js";
import { unknownPart } from "./shell-words.js";

const blanks: Readonly<Record<string, string>> = {
  _: " ",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  f: "\f",
};

/**
 * The words of `env` where it is told a command in one word, with what that is split into in its place: what stands in it
 * or behind it may be options too. Undefined where it is told none.
 */
export function splitByEnv(
  args: readonly string[],
  valued: readonly string[],
): readonly string[] | undefined {
  const end = optionsEnd(args, 0, valued);
  for (let at = 0; at < end; at += takesNext(args[at]!, valued) ? 2 : 1) {
    const [option, value] = valueInWord(args[at]!, valued);
    if (option !== "-S" && !/^--s(?:p(?:l(?:i(?:t(?:-[a-z]*)?)?)?)?)?$/.test(option)) continue;
    const [text, next] = value === undefined ? [args[at + 1] ?? "", at + 2] : [value, at + 1];
    return [...args.slice(0, at), ...envWords(text), ...args.slice(next)];
  }
  return undefined;
}

/** A text as `env -S` splits it: with quotes and backslashes of its own, and variables in braces alone. */
function envWords(text: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  const add = (part: string): void => {
    word = (word ?? "") + part;
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === quote) quote = "";
    else if (char === "\\" && (quote !== "'" || /['\\]/.test(text[at + 1] ?? ""))) {
      const next = text[++at] ?? "";
      if (next === "c" && quote === "") break;
      if (next === "_" && quote === "") {
        if (word !== undefined) words.push(word);
        word = undefined;
      } else add(blanks[next] ?? next);
    } else if (char === "$" && text[at + 1] === "{" && quote !== "'") {
      const end = text.indexOf("}", at);
      at = end < 0 ? text.length : end;
      add(unknownPart);
    } else if (quote !== "") add(char);
    else if (char === "'" || char === '"') {
      quote = char;
      add("");
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "#" && word === undefined) break;
    else add(char);
  }
  return word === undefined ? words : [...words, word];
}
