// Compiles src/ to dist/ and carries the Lua scripts along: tsc copies only what it compiles.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length));

// Made beside and moved over file by file: servers that run from dist/, clients that start one meanwhile and another
// build at the same time find every file at every moment. A build that fails changes nothing.
const made = at(`dist-${process.pid}/`);
const dist = at("dist/");
try {
  cpSync(at("src"), made, { recursive: true, filter: (source) => !source.endsWith(".ts") });
  const compiler = at("node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [compiler, "-p", at("tsconfig.build.json"), "--outDir", made], {
    stdio: "inherit",
  });
  chmodSync(join(made, "main.js"), 0o755);
  const files = filesIn(made);
  for (const file of files) {
    mkdirSync(dirname(join(dist, file)), { recursive: true });
    renameSync(join(made, file), join(dist, file));
  }
  const current = new Set(files);
  for (const file of filesIn(dist)) if (!current.has(file)) rmSync(join(dist, file), { force: true });
} catch (error) {
  // What the compiler had to say stands above; where it was called from helps nobody.
  if (error.status === undefined) throw error;
  process.exitCode = 1;
} finally {
  rmSync(made, { recursive: true, force: true });
}
