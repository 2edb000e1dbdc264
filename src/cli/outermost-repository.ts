import { execFile } from "node:child_process";
import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { repositoryAbove } from "./repository-path.js";

/**
 * The repository by whose paths agents name files: of a submodule, the one into which it, or that in which it lies, is
 * checked out. Itself where it is no submodule, or git does not tell; a worktree or a clone within another one is none.
 *
 * @param root the top of a repository
 */
export async function outermostRepository(root: string): Promise<string> {
  for (let at = root; ; ) {
    // Git is asked only where there is one around it.
    const around = repositoryAbove(dirname(at)) && (await superprojectOf(at));
    if (!around) return at;
    at = realpathSync(around);
  }
}

function superprojectOf(root: string): Promise<string> {
  // Said whole, because a hook of git is told in its environment of the repository that it runs for.
  const here = [`--git-dir=${join(root, ".git")}`, `--work-tree=${root}`];
  const asked = [...here, "rev-parse", "--show-superproject-working-tree"];
  return new Promise((resolve) => {
    execFile("git", asked, { cwd: root, encoding: "utf8" }, (error, output) =>
      resolve(error ? "" : output.replace(/\r?\n$/, "")),
    );
  });
}
