/** Lower case for A to Z alone: other scripts have letters that `toLowerCase` turns into ASCII ones. */
export function asciiLower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
