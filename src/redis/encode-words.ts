/** Words of a command as the protocol of the store writes them: each with its length in bytes. */
export function encodeWords(words: readonly (string | number)[]): string {
  let text = "";
  for (const word of words) {
    const plain = String(word);
    const bytes = typeof word === "number" ? plain.length : Buffer.byteLength(plain);
    text += `$${bytes}\r\n${plain}\r\n`;
  }
  return text;
}

const kept = new WeakMap<readonly string[], string>();

/** Marks keys that scripts run on often: they are encoded now, and not again at each call. */
export function keptKeys(keys: readonly string[]): readonly string[] {
  kept.set(Object.freeze(keys), encodeKeys(keys));
  return keys;
}

/** How many keys there are and each of them. */
export function encodeKeys(keys: readonly string[]): string {
  return kept.get(keys) ?? encodeWords([keys.length, ...keys]);
}
