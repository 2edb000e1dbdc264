// Compiles src/ to dist/ and carries the Lua scripts along: tsc copies only what it compiles. Built beside and then put
// in place, so that a process that is just starting from dist/ finds either the old tree or the new one.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const fresh = at(`dist-${process.pid}`);
const old = at(`dist-old-${process.pid}`);

try {
  execFileSync(
    process.execPath,
    [at("node_modules/typescript/bin/tsc"), "-p", at("tsconfig.build.json"), "--outDir", fresh],
    { stdio: "inherit" },
  );
  cpSync(at("src"), fresh, { recursive: true, filter: (source) => !source.endsWith(".ts") });
  chmodSync(`${fresh}/main.js`, 0o755);
  try {
    renameSync(at("dist"), old);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  renameSync(fresh, at("dist"));
} finally {
  rmSync(fresh, { recursive: true, force: true });
  rmSync(old, { recursive: true, force: true });
}
