import { refuse } from "../errors/index.js";
import type { StateLimits } from "./limits.js";

/**
 * The JSON that is stored for a text: the text itself where it is JSON, so that no number loses a digit, or else the text
 * as a JSON string.
 *
 * @throws {MailboxError} `state.value_invalid` when it is too large or nested too deep
 */
export function valueText(given: string, { valueBytes, valueLevels }: StateLimits): string {
  // What is far too long is not worth parsing; as JSON a text only grows.
  if (given.length > valueBytes + 1_000) tooLarge(Buffer.byteLength(given), valueBytes);
  const text = wellFormed(isJson(given) ? given.trim() : JSON.stringify(given));
  const bytes = Buffer.byteLength(text);
  if (bytes > valueBytes) tooLarge(bytes, valueBytes);
  if (levelsOf(text) > valueLevels)
    refuse("state.value_invalid", { problem: `is nested more than ${valueLevels} levels deep` });
  return text;
}

function tooLarge(bytes: number, limit: number): never {
  refuse("state.value_invalid", { problem: `has ${bytes} bytes as JSON, and ${limit} are allowed` });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Half a surrogate pair would be stored as another character; JSON can say it otherwise. */
function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
}

/** How deep the lists and objects of a JSON text are nested. */
function levelsOf(text: string): number {
  let deepest = 0;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (quoted) {
      if (letter === "\\") at++;
      else if (letter === '"') quoted = false;
    } else if (letter === '"') quoted = true;
    else if (letter === "[" || letter === "{") deepest = Math.max(deepest, ++depth);
    else if (letter === "]" || letter === "}") depth--;
  }
  return deepest;
}
