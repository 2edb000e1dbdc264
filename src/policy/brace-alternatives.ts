import type { Reading } from "./reading.js";
import { unknownPart } from "./shell-words.js";

/** Texts that one stands for. */
const mostAlternatives = 50;
const alternativeSteps = 8;

/**
 * One text for each that stands in braces (`{a,b}`), which a shell or a program puts in. What cannot be told (a range, braces
 * that do not close, too many) is an unknown part behind what stands before it.
 */
export function braceAlternatives(text: string, reading: Reading): readonly string[] {
  const found: string[] = [];
  const open = [text];
  while (open.length > 0) {
    const one = open.shift()!;
    reading.spend(alternativeSteps + (one.length >> 3));
    const [whole, inner] = /\{([^{}]*)\}/.exec(one) ?? [];
    const at = one.indexOf("{");
    if (at < 0) found.push(one);
    else if (
      whole === undefined ||
      found.length + open.length > mostAlternatives ||
      /^[^,]*\.\.[^,]*$/.test(inner!)
    )
      found.push(one.slice(0, at) + unknownPart);
    else open.push(...inner!.split(",", mostAlternatives + 1).map((part) => one.replace(whole, () => part)));
  }
  return found.length > mostAlternatives ? [text.slice(0, text.indexOf("{")) + unknownPart] : found;
}

/** What a shell makes of braces, where there is a choice in them. */
export function inBraces(word: string, reading: Reading): readonly string[] {
  const isChoice = word.match(/\{[^{}]*\}/g)?.some((one) => one.includes(","));
  return isChoice ? braceAlternatives(word, reading) : [word];
}
