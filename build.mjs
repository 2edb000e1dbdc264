// Compiles src/ to dist/ and carries the Lua scripts along: tsc copies only what it compiles.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

rmSync(at("dist"), { recursive: true, force: true });
cpSync(at("src"), at("dist"), {
  recursive: true,
  filter: (source) => !source.endsWith(".ts"),
});
execFileSync(process.execPath, [at("node_modules/typescript/bin/tsc"), "-p", at("tsconfig.build.json")], {
  stdio: "inherit",
});
chmodSync(at("dist/main.js"), 0o755);
