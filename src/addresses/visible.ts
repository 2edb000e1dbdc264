/**
 * Controls, format characters (bidirectional overrides, zero-width, tags), lone surrogates, line and paragraph
 * separators, private and unassigned code points, and whatever else Unicode says a renderer may ignore.
 * The two invisible characters that ordinary emoji are built with stay, where an emoji stands before them.
 */
const hidden =
  /(?!(?<=\p{Extended_Pictographic})\u{fe0f}|(?<=\p{Extended_Pictographic}\u{fe0f}?)\u{200d}(?=\p{Extended_Pictographic}))[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Most texts are plain: they need no look at what Unicode says of each character. */
const plain = /^[ -~]*$/;
const plainLines = /^[ -~\n\t]*$/;

/**
 * Makes every character that a reader would not see, or that would reorder what they see, visible as `\u{…}`.
 *
 * @param keep characters that stay as they are, such as "\n\t" in a body
 */
export function visible(text: string, keep = ""): string {
  if (plain.test(text) || (keep === "\n\t" && plainLines.test(text))) return text;
  return text.replace(hidden, (character) =>
    keep.includes(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
