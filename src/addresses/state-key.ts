import { refuse } from "../errors/index.js";
import { asciiLower } from "./ascii-lower.js";

const name = /^[a-z0-9][a-z0-9._:@+-]{0,99}$/;
const beginning = /^(?:[a-z0-9][a-z0-9._:@+-]{0,99})?$/;
export const maxStateKeyLength = 256;
export const maxStateKeyNames = 10;

/**
 * Parses a key of shared state into its canonical form: names separated by slashes, in lower case, without a slash at
 * either end. `Plan/Owner/` and `plan/owner` are one key.
 *
 * @throws {MailboxError} `state.key_invalid`
 */
export function parseStateKey(given: string): string {
  const key = asciiLower(given.trim()).replace(/^\/|\/$/g, "");
  const names = namesOf(key);
  if (!names.every((one) => name.test(one))) refuseCharacters();
  return key;
}

/**
 * Parses the beginning of keys: whole names, and perhaps a part of the next. `plan/` begins the keys below `plan`,
 * `plan/ow` those of them that go on with `ow`, and an empty text begins every key.
 *
 * @throws {MailboxError} `state.key_invalid`
 */
export function parseStatePrefix(given: string): string {
  const prefix = asciiLower(given.trim()).replace(/^\//, "");
  const names = namesOf(prefix);
  const last = names.pop()!;
  if (!names.every((one) => name.test(one)) || !beginning.test(last)) refuseCharacters();
  return prefix;
}

/** `plan/owner` → `plan`: the part of the key that decides where it is kept. */
export function stateGroupOf(key: string): string {
  const slash = key.indexOf("/");
  return slash < 0 ? key : key.slice(0, slash);
}

function namesOf(text: string): string[] {
  if (text.length > maxStateKeyLength)
    refuse("state.key_invalid", { problem: `a key has at most ${maxStateKeyLength} characters` });
  const names = text.split("/");
  // A prefix that ends in a slash has an empty last name.
  if (names.length > maxStateKeyNames + (names.at(-1) === "" ? 1 : 0))
    refuse("state.key_invalid", { problem: `a key has at most ${maxStateKeyNames} names` });
  return names;
}

function refuseCharacters(): never {
  refuse("state.key_invalid", {
    problem:
      "each name of a key has 1 to 100 of the characters a-z 0-9 . _ : @ + - and begins with a letter or digit",
  });
}
