import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { visible } from "../../src/addresses/index.js";

describe("what a reader would not see", () => {
  it.each([
    ["a right-to-left override", "a\u202eb", "a\\u{202e}b"],
    ["an isolate", "\u2066x\u2069", "\\u{2066}x\\u{2069}"],
    ["a zero-width space", "a\u200bb", "a\\u{200b}b"],
    ["a zero-width joiner between letters", "a\u200db", "a\\u{200d}b"],
    ["invisible tags", "a\u{e0041}\u{e007f}", "a\\u{e0041}\\u{e007f}"],
    ["an escape", "\u001b[2J", "\\u{1b}[2J"],
    ["a NUL", "\u0000", "\\u{0}"],
    ["a next-line control", "a\u0085b", "a\\u{85}b"],
    ["a line separator", "a\u2028b", "a\\u{2028}b"],
    ["a newline", "a\nb", "a\\u{a}b"],
    ["a soft hyphen", "a\u00adb", "a\\u{ad}b"],
    ["a byte order mark", "\ufeffa", "\\u{feff}a"],
    ["a Hangul filler", "\u3164", "\\u{3164}"],
    ["a variation selector after a letter", "a\ufe0f", "a\\u{fe0f}"],
    ["a supplementary variation selector", "a\u{e0100}", "a\\u{e0100}"],
    ["a lone surrogate", "a\ud800b", "a\\u{d800}b"],
    ["a private character", "\ue000", "\\u{e000}"],
  ])("is made visible: %s", (_, given, shown) => {
    expect(visible(given)).toBe(shown);
  });

  it.each(["hello", "Zoë", "日本語", "שלום", "👍", "❤️", "👩‍💻", "🏳️‍🌈", "a b", "5 € – 7 €"])(
    "is not in %s, which stays as it is",
    (text) => {
      expect(visible(text)).toBe(text);
    },
  );

  it("keeps what the caller says is meant", () => {
    expect(visible("a\n\tb\r", "\n\t")).toBe("a\n\tb\\u{d}");
  });

  it("is never left in the answer, and the answer says everything twice the same", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (given) => {
        const shown = visible(given);
        expect(visible(shown)).toBe(shown);
        expect(shown).not.toMatch(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/u);
      }),
      { numRuns: 2_000 },
    );
  });
});
