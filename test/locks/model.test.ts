import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const model = fileURLToPath(new URL("../../docs/models/locks.pml", import.meta.url));
const properties = ["one_holder", "fenced", "tokens", "handed_on"];

const isThere = (program: string, argument: string): boolean =>
  spawnSync(program, [argument]).error === undefined;
const canCheck = isThere("spin", "-V") && isThere("cc", "--version");
if (!canCheck) {
  if (process.env.CI)
    throw new Error("spin and a C compiler are not there, and CI must check the model of locks");
  process.stderr.write("spin and a C compiler are not there: the model of locks is read, not checked\n");
}

describe("the model of locks", () => {
  it("says what it proves, where, and what it assumes", () => {
    const text = readFileSync(model, "utf8");
    for (const property of properties) {
      expect(text).toMatch(new RegExp(`^ {4}${property} +\\w`, "m"));
      expect(text).toMatch(new RegExp(`assert\\(.*/\\* ${property} \\*/`));
    }
    expect(text).toMatch(/^ {2}Assumed: /m);
  });

  if (!canCheck) return;

  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "mailbox-model-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Every interleaving there is, up to the bounds of the model. */
  function check(...defines: readonly string[]): string {
    const run = (program: string, args: readonly string[]): string => {
      const { stdout, stderr, error } = spawnSync(program, args, { cwd: folder, encoding: "utf8" });
      if (error) throw error;
      return stdout + stderr;
    };
    run("spin", [...defines, "-a", model]);
    run("cc", ["-O1", "-w", "-DSAFETY", "-DVECTORSZ=2048", "-o", "pan", "pan.c"]);
    return run(join(folder, "pan"), ["-m200000", "-n"]);
  }

  it.each([
    ["leases that run out, offers nobody takes, holders that stand still", []],
    ["agents that die as well, any and several, for four grants", ["-DMORTAL", "-DGRANTS=4"]],
    ["a store that loses its tail as well, for two agents", ["-DTAIL", "-DMORTAL", "-DN=2"]],
  ])("holds with %s", { timeout: 120_000 }, (_, defines) => {
    const said = check(...(defines as string[]));
    expect(said).toContain("errors: 0");
    expect(said).not.toContain("max search depth too small");
    expect(Number(/(\d+) states, stored/.exec(said)?.[1])).toBeGreaterThan(10_000);
  });

  it.each([
    ["counted tokens, where the tail may be lost", ["-DTAIL", "-DCOUNTER"], /assertion violated +!\(given/],
    ["a written thing that takes any token", ["-DNOFENCE"], /assertion violated \(order/],
    ["a grant that does not look for who holds", ["-DNOCHECK"], /assertion violated \(n<=1/],
    ["a lease given back that is handed on to nobody", ["-DFORGETS=1"], /assertion violated \(\(n>0/],
    ["a lease that ran out and is handed on to nobody", ["-DFORGETS=2"], /assertion violated \(\(n>0/],
    ["an offer that nobody took, handed on to nobody", ["-DFORGETS=3"], /assertion violated \(\(n>0/],
    [
      "the run of a dead process, handed on to nobody",
      ["-DFORGETS=4", "-DMORTAL"],
      /assertion violated \(\(n>0/,
    ],
  ])("finds the defect in %s", { timeout: 120_000 }, (_, defines, violated) => {
    expect(check(...(defines as string[]))).toMatch(violated);
  });
});
