import { execFile } from "node:child_process";
import { realpathSync } from "node:fs";
import { relative, sep } from "node:path";
import { outermostRepository } from "./outermost-repository.js";
import { UsageError } from "./usage-error.js";

const mostOutput = 64 * 1024 * 1024;

/** What people set for their own looks at differences is not to hide any, nor to change how they are told. */
const whatever = ["-c", "diff.relative=false"];
const plainly = [
  ...["--no-renames", "--ignore-submodules=none", "--no-ext-diff", "--no-color"],
  // Cancels an order of files that may name a file which is not there.
  "-O/dev/null",
];

/**
 * The paths that the next commit changes, of renames both names, relative to the top of the repository, or of the
 * outermost one of which it is a submodule; whatever is configured for git, and in whichever folder of the repository it
 * is asked.
 */
export async function stagedPaths(folder: string): Promise<readonly string[]> {
  const asked = [...whatever, "diff", "--cached", "--name-only", "-z", ...plainly];
  const paths = splitPaths(await git(folder, asked));
  if (paths.length === 0) return paths;
  const top = realpathSync((await git(folder, ["rev-parse", "--show-toplevel"])).replace(/\r?\n$/, ""));
  const within = relative(await outermostRepository(top), top)
    .split(sep)
    .join("/");
  return within === "" ? paths : paths.map((path) => `${within}/${path}`);
}

/** What git writes with `-z`: each path as it is, ended by a zero byte. */
export function splitPaths(text: string): readonly string[] {
  return text.split("\0").filter((path) => path !== "");
}

function git(folder: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      "git",
      [...args],
      { cwd: folder, maxBuffer: mostOutput, encoding: "utf8" },
      (error, output, problem) => {
        if (!error) resolve(output);
        else
          reject(
            new UsageError(
              // Outside of a repository git takes this for another command, and complains of its options.
              /unknown option/.test(problem)
                ? `${folder} lies in no repository of git; guard pre-commit is its hook, and runs in one`
                : `git could not tell what is staged: ${problem.trim().split("\n")[0] ?? error.message}`,
            ),
          );
      },
    );
  });
}
