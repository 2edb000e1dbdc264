import { execFile } from "node:child_process";
import { UsageError } from "./usage-error.js";

const mostOutput = 64 * 1024 * 1024;

/** The paths that the next commit changes, of renames both names, relative to the top of the repository. */
export async function stagedPaths(folder: string): Promise<readonly string[]> {
  return splitPaths(await git(folder, ["diff", "--cached", "--name-only", "--no-renames", "-z"]));
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
              `git could not tell what is staged: ${problem.trim().split("\n")[0] ?? error.message}`,
            ),
          );
      },
    );
  });
}
