import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { transformSync } from "@swc/core";

/**
 * `memory-stdio.ts` as plain JavaScript on the built package: loading TypeScript takes each process four times what it
 * takes to be what is tested.
 *
 * @returns the program and the folder that it lies in, which the caller removes
 */
export function buildMemoryStdio(): { readonly program: string; readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "mailbox-memory-stdio-"));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  for (const name of ["memory-stdio", "memory-rooms"]) {
    const source = readFileSync(new URL(`./${name}.ts`, import.meta.url), "utf8");
    const { code } = transformSync(source, {
      jsc: { parser: { syntax: "typescript" }, target: "es2022" },
      module: { type: "es6" },
    });
    const built = new URL("../../dist/", import.meta.url).href;
    writeFileSync(join(folder, `${name}.js`), code.replaceAll('"../../src/', `"${built}`));
  }
  return { program: join(folder, "memory-stdio.js"), folder };
}
