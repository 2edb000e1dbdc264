import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isSameToken, looksLikeToken, mintToken, parseToken } from "../../src/identity/index.js";

const namespaces = ["default", "a", "n".repeat(63), "team_1", "team-1.x_y", "lmt_x", "x_0123456789abcdef"];

describe("a token", () => {
  it.each(namespaces)("of %s names its namespace and its id, and is kept as a hash alone", (namespace) => {
    const { id, text, hash } = mintToken(namespace);
    expect(text).toMatch(/^lmt_[a-z0-9._-]+_[0-9a-f]{16}[A-Za-z0-9_-]{43}$/);
    expect(parseToken(text)).toEqual({ namespace, id, hash });
    expect(hash).toBe(createHash("sha256").update(text).digest("hex"));
    expect(looksLikeToken(text)).toBe(true);
  });

  it("has 256 random bits and an id of its own", () => {
    const minted = Array.from({ length: 1_000 }, () => mintToken("default"));
    expect(new Set(minted.map(({ id }) => id)).size).toBe(1_000);
    const secrets = minted.map(({ text }) => Buffer.from(text.slice(-43), "base64url"));
    expect(new Set(secrets.map(String)).size).toBe(1_000);
    for (const secret of secrets) expect(secret.length).toBe(32);
    // Each bit of the secret is set in about half of them.
    for (let bit = 0; bit < 256; bit++) {
      const set = secrets.filter((secret) => (secret[bit >> 3]! >> (bit & 7)) & 1).length;
      expect(set).toBeGreaterThan(350);
      expect(set).toBeLessThan(650);
    }
  });

  const { text } = mintToken("default");
  it.each([
    ["nothing", ""],
    ["another beginning", text.replace("lmt_", "LMT_")],
    ["a blank around it", ` ${text}`],
    ["a line after it", `${text}\n`],
    ["a character less", text.slice(0, -1)],
    ["a character more", `${text}A`],
    ["no namespace", text.replace("lmt_default_", "lmt__")],
    ["a namespace in capitals", text.replace("default", "Default")],
    ["a namespace that begins with a dash", text.replace("default", "-default")],
    ["a brace in the namespace", text.replace("default", "def}ult")],
    ["an id in capitals", text.replace(/_[0-9a-f]{16}/, "_ABCDEF0123456789")],
    ["padding", `${text.slice(0, -1)}=`],
    ["a last character that decodes to the same bytes", sameBytes(text)],
  ])("with %s is none", (_, given) => {
    expect(parseToken(given)).toBeUndefined();
  });

  it("is told from others by all of it: secret, id and namespace", () => {
    const kept = mintToken("default");
    const shown = parseToken(kept.text)!;
    expect(isSameToken(shown, kept.hash)).toBe(true);
    const [other, elsewhere] = [mintToken("default"), kept.text.replace("lmt_default", "lmt_other")];
    expect(isSameToken(parseToken(other.text)!, kept.hash)).toBe(false);
    expect(isSameToken(parseToken(elsewhere)!, kept.hash)).toBe(false);
    expect(isSameToken({ ...shown, hash: other.hash }, kept.hash)).toBe(false);
  });

  it("is not the same as one of which nothing is kept, or a damaged record", () => {
    const shown = parseToken(mintToken("default").text)!;
    for (const kept of [undefined, "", "0".repeat(64), "x", shown.hash.toUpperCase(), `${shown.hash}00`])
      expect(isSameToken(shown, kept)).toBe(false);
    expect(isSameToken({ ...shown, hash: "0".repeat(64) }, undefined)).toBe(false);
  });
});

/** The last of 43 characters has two bits that decode to nothing. */
function sameBytes(token: string): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return token.slice(0, -1) + letters[letters.indexOf(token.at(-1)!) + 1]!;
}
