// Compiles src/ to dist/ and carries the Lua scripts along: tsc copies only what it compiles. Then puts the program
// together in few files, because finding and reading a file for each module is most of what a start costs.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length));

const isOfPackage = (name) => !name.startsWith(".") && !isAbsolute(name);

/** A module finds what lies beside its source, wherever it went itself. */
const fromItsPlace = {
  name: "from-its-place",
  transform: (code, path) => {
    const place = relative(at("src"), path).split(sep).join("/").replace(/\.ts$/, ".js");
    return code.replaceAll("import.meta.url", `new URL("../${place}", import.meta.url).href`);
  },
};

/**
 * Puts the program into a folder of its own, named for what is in it, and the executable in front of it. Of a door that
 * is imported, only what is used of it is loaded.
 */
async function putTogether(folder) {
  const { output } = await build({
    ...{ input: at("src/main.ts"), platform: "node", external: isOfPackage, plugins: [fromItsPlace] },
    treeshake: { moduleSideEffects: false },
    output: { format: "esm", entryFileNames: "[name].js", chunkFileNames: "[name].js" },
    ...{ write: false, logLevel: "warn" },
  });
  const hash = createHash("sha256");
  for (const { fileName, code } of output) hash.update(`${fileName} ${code.length}\n${code}`);
  const program = `program-${hash.digest("hex").slice(0, 12)}`;
  mkdirSync(join(folder, program));
  for (const { fileName, code } of output) writeFileSync(join(folder, program, fileName), code);
  const main = join(folder, "main.js");
  writeFileSync(main, `#!/usr/bin/env node\nimport "./${program}/main.js";\n`);
  chmodSync(main, 0o755);
}

/** The folder of the program that the executable starts, if there is one. */
function programIn(folder) {
  const main = join(folder, "main.js");
  return existsSync(main) ? /program-\w+/.exec(readFileSync(main, "utf8"))?.[0] : undefined;
}

const isProgram = (path) => path.startsWith("program-");

/**
 * A process loads some parts of its program only when it needs them, so a program stays for a day after the next one
 * was built. In a package there is only one.
 */
function isNeeded(program) {
  const left = statSync(join(dist, program), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return !process.argv.includes("--alone") && Date.now() - left < 24 * 60 * 60 * 1_000;
}

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
  await putTogether(made);
  const [before, next] = [programIn(dist), programIn(made)];
  const files = filesIn(made);
  // The executable last: what it starts is there by then.
  for (const file of [...files.filter((one) => one !== "main.js"), "main.js"]) {
    mkdirSync(dirname(join(dist, file)), { recursive: true });
    renameSync(join(made, file), join(dist, file));
  }
  if (before && existsSync(join(dist, before))) utimesSync(join(dist, before), new Date(), new Date());
  const current = new Set(files);
  for (const file of filesIn(dist))
    if (!current.has(file) && !isProgram(file)) rmSync(join(dist, file), { force: true });
  for (const program of readdirSync(dist).filter(isProgram))
    if (program !== next && !isNeeded(program)) rmSync(join(dist, program), { recursive: true, force: true });
} catch (error) {
  // What the compiler had to say stands above; where it was called from helps nobody.
  if (error.status === undefined) throw error;
  process.exitCode = 1;
} finally {
  rmSync(made, { recursive: true, force: true });
}
