import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readClaim, tryClaim } from "../../../src/redis/engine/claim.js";
import { isRunning, thisProcess } from "../../../src/redis/engine/process-identity.js";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mailbox-claim-"));
  path = join(directory, "some.lock");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function write(owner: object, at = path): void {
  writeFileSync(at, JSON.stringify({ owner: { ...thisProcess(), ...owner }, facts: { of: "another" } }));
}

/** The file that is claimed to replace the claim that is there. */
function rightToReplace(): string {
  return `${path}.after-${createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16)}`;
}

describe("a claim", () => {
  it("is one process's until it lets go", () => {
    const claim = tryClaim(path, { for: "me" })!;
    expect(readClaim(path)?.facts).toEqual({ for: "me" });
    expect(tryClaim(path)).toBeUndefined();
    claim.release();
    expect(readClaim(path)).toBeUndefined();
    expect(tryClaim(path)).toBeDefined();
  });

  it("is over when its process has ended", () => {
    write({ pid: 4_000_000 });
    expect(readClaim(path)).toBeUndefined();
    expect(tryClaim(path)?.holds()).toBe(true);
  });

  it("is over when its process number was given to another", () => {
    write({ startedAt: "1" });
    expect(tryClaim(path)?.holds()).toBe(true);
  });

  it("made on another machine or in another container counts while it is refreshed", () => {
    write({ host: "elsewhere", pid: 1 });
    expect(tryClaim(path)).toBeUndefined();
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(path, longAgo, longAgo);
    expect(tryClaim(path)?.holds()).toBe(true);
  });

  it("that was replaced is neither held, nor released, nor refreshed by its first owner", () => {
    const claim = tryClaim(path)!;
    write({ startedAt: thisProcess().startedAt });
    expect(claim.holds()).toBe(false);
    const before = readFileSync(path, "utf8");
    claim.release();
    expect(readFileSync(path, "utf8")).toBe(before);
  });

  it("that is unreadable is nobody's", () => {
    writeFileSync(path, "{ half");
    expect(tryClaim(path)?.holds()).toBe(true);
  });

  it("of a dead process goes to exactly one of many who want it", async () => {
    const module = new URL("../../../dist/redis/engine/claim.js", import.meta.url).href;
    const contender = `
      import { tryClaim } from ${JSON.stringify(module)};
      const [path, count, at] = process.argv.slice(1);
      const mine = [];
      while (Date.now() < Number(at)) {}
      for (let n = 0; n < Number(count); n++) if (tryClaim(path + n)) mine.push(n);
      process.stdout.write(JSON.stringify(mine) + "\\n");
      process.stdin.resume().on("end", () => process.exit(0));`;
    const count = 400;
    for (let n = 0; n < count; n++) write({ pid: 4_000_000 }, `${path}${n}`);
    const at = String(Date.now() + 700);
    const contenders = Array.from({ length: 8 }, () =>
      spawn(process.execPath, ["--input-type=module", "-e", contender, path, String(count), at]),
    );
    const claimed = await Promise.all(
      contenders.map(async ({ stdout }) => {
        let text = "";
        for await (const part of stdout) {
          text += part;
          if (text.endsWith("\n")) break;
        }
        return JSON.parse(text) as number[];
      }),
    );
    for (const { stdin } of contenders) stdin.end();
    await Promise.all(contenders.map((child) => once(child, "exit")));
    expect(claimed.flat().sort((one, other) => one - other)).toEqual(
      Array.from({ length: count }, (_, n) => n),
    );
    // Had one of them got them all, the others would have come too late to be tried.
    expect(claimed.filter((mine) => mine.length > 0).length).toBeGreaterThan(1);
  });

  it("of a dead process is not replaced by one that found it before another did", () => {
    write({ pid: 4_000_000 });
    const other = tryClaim(rightToReplace())!;
    expect(tryClaim(path)).toBeUndefined();
    other.release();
    expect(tryClaim(path)?.holds()).toBe(true);
    expect(readdirSync(directory)).toEqual(["some.lock"]);
  });

  it("of a dead process can be replaced when the one that was to replace it died as well", () => {
    write({ pid: 4_000_000 });
    write({ pid: 4_000_001 }, rightToReplace());
    expect(tryClaim(path)?.holds()).toBe(true);
    expect(readdirSync(directory)).toEqual(["some.lock"]);
  });
});

describe("a process", () => {
  it("is taken to run by its number alone where the system does not tell when it began", () => {
    const nowhere = join(directory, "no-proc");
    expect(thisProcess(nowhere).startedAt).toBeNull();
    expect(isRunning(thisProcess(nowhere), nowhere)).toBe(true);
    expect(isRunning({ ...thisProcess(), pid: 4_000_000 }, nowhere)).toBe(false);
  });
});
