import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe } from "vitest";

const names = ["chromium", "chromium-browser", "google-chrome"];

/**
 * A `describe` with a real browser, the Chromium of this machine, which is there from before the first test to after the last.
 *
 * Without one on PATH its tests are left out and one line says so, except where CI is set: there it fails.
 */
export function describeInBrowser(title: string, define: (browser: () => Browser) => void): void {
  const executablePath = onPath();
  if (executablePath === undefined) {
    if (process.env.CI) throw new Error("chromium is not on PATH, and CI must run the tests of pages");
    process.stderr.write("chromium is not on PATH: tests of pages are left out\n");
  }
  describe.skipIf(executablePath === undefined)(`${title} (chromium)`, () => {
    let browser: Browser | undefined;
    beforeAll(async () => {
      // Its sandbox needs what a container seldom has, and no page but ours is opened.
      browser = await chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"] });
    });
    afterAll(() => browser?.close());
    define(() => {
      if (!browser) throw new Error("the browser is there only while tests run");
      return browser;
    });
  });
}

function onPath(): string | undefined {
  return names
    .flatMap((name) => (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name)))
    .find((path) => isProgram(path) && spawnSync(path, ["--version"]).status === 0);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
