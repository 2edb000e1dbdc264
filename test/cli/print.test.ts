import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { ago, onOneLine, printJson, printTable } from "../../src/cli/print.js";
import { inTerminal } from "../../src/cli/terminal.js";
import { Paper } from "./paper.js";

/** What is printed where a command line is typed. */
async function printed(work: () => void): Promise<string> {
  const [out, err] = [new Paper(), new Paper()];
  await inTerminal({ env: {}, folder: "/", stdin: Readable.from([]), stdout: out, stderr: err }, async () =>
    work(),
  );
  return out.bytes().toString();
}

describe("a table", () => {
  it("has columns as wide as their longest cell, numbers to the right", async () => {
    const out = await printed(() =>
      printTable(
        [
          { name: "ann", count: 7 },
          { name: "bertram", count: 1200 },
        ],
        [
          { head: "NAME", cell: ({ name }) => name },
          { head: "COUNT", cell: ({ count }) => count, right: true },
        ],
      ),
    );
    expect(out).toBe("NAME     COUNT\nann          7\nbertram   1200\n");
  });

  it("keeps its columns beside characters that take two or none", async () => {
    const out = await printed(() =>
      printTable(
        ["日本", "né", "ab"],
        [
          { head: "N", cell: (text) => text },
          { head: "X", cell: () => "x" },
        ],
      ),
    );
    expect(out.split("\n").slice(1, 4)).toEqual(["日本  x", "né    x", "ab    x"]);
  });

  it("cannot be broken by a cell that another party wrote", async () => {
    const out = await printed(() =>
      printTable(["a\nb\u001b[2J\u202e\u2066 c"], [{ head: "TEXT", cell: (text) => text }]),
    );
    expect(out).toBe("TEXT\na b\\u{1b}[2J\\u{202e}\\u{2066} c\n");
  });
});

describe("JSON for programs", () => {
  it("is the same value to whoever parses it, and nothing a terminal would obey or hide", async () => {
    const value = { text: "\u001b[2J\u009b31m \u202eevil\u{e0041} 👩‍👩‍👧 ä\n" };
    const out = await printed(() => printJson(value));
    expect(JSON.parse(out)).toEqual(value);
    expect(out).toMatch(/^[\n\x20-\x7eä👩👧]*$/u);
  });
});

describe("a text on one line", () => {
  it("is cut between characters and says so", () => {
    expect(onOneLine("one  two\nthree", 60)).toBe("one two three");
    expect(onOneLine("👍👍👍👍", 3)).toBe("👍👍…");
  });
});

describe("a time that has passed", () => {
  it.each([
    [200, "now"],
    [59_000, "59 s ago"],
    [600_000, "10 min ago"],
    [10_800_000, "3 h ago"],
    [345_600_000, "4 d ago"],
    [-5_000, "now"],
  ])("of %d ms is %s", (ms, words) => {
    expect(ago(1e12, 1e12 + ms)).toBe(words);
  });
});
