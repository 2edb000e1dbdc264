import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join, resolve } from "node:path";
import { visible } from "../addresses/index.js";
import { type Finding, fail, ok, warn } from "./finding.js";
import { repositoryAbove } from "./repository-path.js";
import { surroundings } from "./surroundings.js";
import { textOf } from "./write-whole.js";

/**
 * Looks at the guard before commits of the repository it is asked in. Git says nothing of a hook that it passes over: one
 * that is not executable, or lies where `core.hooksPath` does not lead.
 */
export async function gitHookFindings(): Promise<Finding[]> {
  const root = repositoryAbove(surroundings().project);
  const [hooks, common] = root === undefined ? [] : await foldersOf(root);
  if (hooks === undefined || common === undefined) return [];
  const [file, usual] = [join(hooks, "pre-commit"), join(common, "hooks", "pre-commit")];
  if (isGuard(file)) {
    if (mayRun(file)) return [ok("hooks", `the guard before commits is in ${visible(file)}`)];
    return [
      fail(
        "hooks",
        `${visible(file)} is not executable: git commits without this guard`,
        `chmod +x ${visible(file)}`,
      ),
    ];
  }
  if (!isGuard(usual)) return [];
  return [
    // The same guard may be called by what is there.
    warn(
      "hooks",
      `git looks for hooks in ${visible(hooks)} (core.hooksPath): the guard in ${visible(usual)} never runs`,
      "move it there, or have what writes that folder call llm-mailbox guard pre-commit",
    ),
  ];
}

/** Where git looks for hooks, and the folder of git itself; nothing where it does not tell. */
function foldersOf(root: string): Promise<readonly string[]> {
  return new Promise((done) => {
    const asked = ["rev-parse", "--git-path", "hooks", "--git-common-dir"];
    execFile("git", asked, { cwd: root, encoding: "utf8" }, (error, output) =>
      done(
        error
          ? []
          : output
              .trimEnd()
              .split("\n")
              .map((path) => resolve(root, path)),
      ),
    );
  });
}

function isGuard(file: string): boolean {
  try {
    return /\bguard pre-commit\b/.test(textOf(file) ?? "");
  } catch {
    return false;
  }
}

function mayRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
