import { execFile } from "node:child_process";
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
 * The paths that the next commit changes, of renames both names, relative to the top of the repository; whatever is
 * configured for git, and in whichever folder of the repository it is asked.
 */
export async function stagedPaths(folder: string): Promise<readonly string[]> {
  return splitPaths(await git(folder, [...whatever, "diff", "--cached", "--name-only", "-z", ...plainly]));
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
