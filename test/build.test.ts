import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";

/** A house of two files, built by the real build script. */
const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "mailbox-build-"));
const inFolder = (name: string): string => join(folder, name);

beforeAll(async () => {
  for (const name of ["build.mjs", "tsconfig.json", "tsconfig.build.json", "package.json"])
    copyFileSync(join(root, name), inFolder(name));
  symlinkSync(join(root, "node_modules"), inFolder("node_modules"));
  mkdirSync(inFolder("src/room"), { recursive: true });
  writeFileSync(inFolder("src/main.ts"), "export const answer: number = 1;\n");
  writeFileSync(inFolder("src/room/old.lua"), "return 1\n");
  expect(await build()).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** @param meanwhile called again and again while the build goes on */
async function build(meanwhile: () => void = () => undefined): Promise<number> {
  const child = spawn(process.execPath, [inFolder("build.mjs")], { stdio: "ignore" });
  let status: number | undefined;
  void once(child, "exit").then(([code]) => {
    status = code as number;
  });
  while (status === undefined) {
    meanwhile();
    await setImmediate();
  }
  return status;
}

it("a client can start the executable at every moment of a build, of two at once too", async () => {
  let looks = 0;
  let missed = 0;
  const look = (): void => {
    looks += 1;
    if (!existsSync(inFolder("dist/main.js"))) missed += 1;
  };
  expect(await Promise.all([build(look), build(look)])).toEqual([0, 0]);
  expect(looks).toBeGreaterThan(10);
  expect(missed).toBe(0);
});

it("a build that fails changes nothing and leaves nothing behind", async () => {
  writeFileSync(inFolder("src/broken.ts"), "export const answer: number = 'one';\n");
  const before = readdirSync(inFolder("dist"));
  expect(await build()).toBe(1);
  rmSync(inFolder("src/broken.ts"));
  expect(readdirSync(inFolder("dist"))).toEqual(before);
  expect(readdirSync(folder).filter((name) => name.startsWith("dist-"))).toEqual([]);
});

it("a file that has no source any more goes with the next build", async () => {
  expect(existsSync(inFolder("dist/room/old.lua"))).toBe(true);
  rmSync(inFolder("src/room/old.lua"));
  expect(await build()).toBe(0);
  expect(existsSync(inFolder("dist/room/old.lua"))).toBe(false);
});

it("a process that was started before a build finds the rest of its program after it", async () => {
  const program = (): string => /program-\w+/.exec(readFileSync(inFolder("dist/main.js"), "utf8"))![0];
  writeFileSync(inFolder("src/late.ts"), "export const late: number = 1;\n");
  writeFileSync(inFolder("src/main.ts"), 'console.log((await import("./late.js")).late);\nexport {};\n');
  expect(await build()).toBe(0);
  const first = program();
  writeFileSync(inFolder("src/late.ts"), "export const late: number = 2;\n");
  expect(await build()).toBe(0);
  expect(program()).not.toBe(first);
  const run = (folder: string): string =>
    execFileSync(process.execPath, [inFolder(`dist/${folder}/main.js`)], { encoding: "utf8" });
  expect([run(first), run(program())]).toEqual(["1\n", "2\n"]);

  const yesterday = new Date(Date.now() - 25 * 60 * 60 * 1_000);
  utimesSync(inFolder(`dist/${first}`), yesterday, yesterday);
  expect(await build()).toBe(0);
  expect(existsSync(inFolder(`dist/${first}`))).toBe(false);
  expect(run(program())).toBe("2\n");
});
