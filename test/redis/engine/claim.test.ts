import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
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

function write(owner: object): void {
  writeFileSync(path, JSON.stringify({ owner: { ...thisProcess(), ...owner }, facts: { of: "another" } }));
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
      const [path, at] = process.argv.slice(1);
      while (Date.now() < Number(at)) {}
      process.stdout.write(tryClaim(path) ? "mine" : "no");
      process.stdin.resume().on("end", () => process.exit(0));`;
    for (let round = 0; round < 3; round++) {
      write({ pid: 4_000_000 });
      const at = String(Date.now() + 700);
      const contenders = Array.from({ length: 8 }, () =>
        spawn(process.execPath, ["--input-type=module", "-e", contender, path, at]),
      );
      const answers = await Promise.all(
        contenders.map(async ({ stdout }) => String((await once(stdout, "data"))[0])),
      );
      expect(answers.filter((answer) => answer === "mine")).toHaveLength(1);
      for (const { stdin } of contenders) stdin.end();
      await Promise.all(contenders.map((child) => once(child, "exit")));
    }
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
