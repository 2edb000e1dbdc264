import type { Contract, Slots } from "./script-contract.js";

/** A call of a script as its caller writes it: how many elements the two lists have, and whether more are spread in. */
interface Given {
  readonly count: number;
  readonly spreads: boolean;
}

export interface ScriptCall {
  /** File name of the script. */
  readonly script: string;
  /** Which of the three ways to run one: with its own keys, on a whole mailbox, on a whole topic root. */
  readonly place: "keys" | "mailbox" | "root";
  /** Undefined where the list is not written out at the call. */
  readonly keys: Given | undefined;
  readonly args: Given | undefined;
}

/** The calls of scripts in a TypeScript file that loads them by name. */
export function scriptCalls(text: string): ScriptCall[] {
  const names = new Map(
    [...text.matchAll(/const (\w+) = loadScript\(import\.meta\.url, "([^"]+)"\)/g)].map(
      ([, name, file]) => [name!, file!] as const,
    ),
  );
  const calls: ScriptCall[] = [];
  for (const { index } of text.matchAll(/\.run\(/g)) {
    const words = listAt(text, index + ".run".length);
    const at = words.findIndex((word) => names.has(word));
    if (at < 0) continue;
    const script = names.get(words[at]!)!;
    if (at === 0) calls.push({ script, place: "keys", keys: given(words[1]), args: given(words[2]) });
    else if (words.length - at > 2 && words[at + 2]!.match(/^(\[|args$)/))
      calls.push({ script, place: "root", keys: given(words[at + 1]), args: given(words[at + 2]) });
    else
      calls.push({
        script,
        place: "mailbox",
        keys: { count: 0, spreads: false },
        args: given(words[at + 1]),
      });
  }
  return calls;
}

/** How a call departs from the script's header, one line each. The deadline is put first by the store itself. */
export function callDepartures(call: ScriptCall, contract: Contract): string[] {
  // The limits, which every script on a whole mailbox takes, are put second by the mailbox room.
  const whole = contract.wholes.length > 0;
  const wrongKind = call.place === "keys" ? whole && call.keys !== undefined : !whole;
  const ahead = call.place === "mailbox" ? 2 : 1;
  return [
    ...listDepartures("KEYS", call.keys, contract.keys, 0),
    ...listDepartures("ARGV", call.args, contract.args, ahead),
    ...(wrongKind ? ["is called with keys of another kind"] : []),
  ];
}

function listDepartures(name: string, list: Given | undefined, slots: Slots, ahead: number): string[] {
  if (!list) return [];
  const wanted = slots.single.length - ahead;
  const more = slots.rest !== undefined;
  if (list.count === wanted && (!list.spreads || more)) return [];
  if (list.count > wanted && more) return [];
  return [
    `takes ${wanted}${more ? " or more" : ""} ${name} and is given ${list.count}${list.spreads ? " and more" : ""}`,
  ];
}

function given(word: string | undefined): Given | undefined {
  if (!word?.startsWith("[")) return undefined;
  const elements = listAt(word, 0);
  return {
    count: elements.filter((element) => !element.startsWith("...")).length,
    spreads: elements.some((element) => element.startsWith("...")),
  };
}

/** The elements of a bracketed list that opens at the given place, as text. */
function listAt(text: string, from: number): string[] {
  const elements: string[] = [];
  let depth = 0;
  let start = from + 1;
  for (let at = from; at < text.length; at++) {
    const letter = text[at]!;
    if (letter === '"' || letter === "`" || letter === "'") {
      for (at++; text[at] !== letter && at < text.length; at++) if (text[at] === "\\") at++;
    } else if ("([{".includes(letter)) depth++;
    else if (")]}".includes(letter)) depth--;
    const ends = depth === 0;
    if (ends || (depth === 1 && letter === ",")) {
      const element = text.slice(start, at).trim();
      if (element !== "") elements.push(element);
      start = at + 1;
    }
    if (ends) break;
  }
  return elements;
}
