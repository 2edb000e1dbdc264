import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "rolldown";

const folder = mkdtempSync(join(tmpdir(), "mailbox-program-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** A module finds what lies beside it wherever it went itself. */
const fromItsPlace = {
  name: "from-its-place",
  transform: (code: string, path: string) =>
    code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href)),
};

/**
 * A program beside this file with all that it imports from dist/ and of packages, in few files. Where it is started and
 * killed again and again, finding hundreds of modules each time is most of what that costs.
 *
 * @returns its path, for as long as this process goes on
 */
export async function putTogether(name: string): Promise<string> {
  await build({
    ...{ input: fileURLToPath(new URL(name, import.meta.url)), platform: "node", plugins: [fromItsPlace] },
    treeshake: { moduleSideEffects: false },
    output: { dir: folder, format: "esm", entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" },
    logLevel: "warn",
  });
  return join(folder, name);
}
