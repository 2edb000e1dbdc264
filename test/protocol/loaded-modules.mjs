// Imported before a program, writes each module that it loads to standard error.
import { writeSync } from "node:fs";
import { createRequire, register } from "node:module";

const hook = `
  import { writeSync } from "node:fs";
  export async function load(url, context, next) {
    writeSync(2, "loaded " + url + "\\n");
    return next(url, context);
  }`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

// What one module of CommonJS requires of another goes by that hook.
const { cache } = createRequire(import.meta.url);
process.on("exit", () => {
  for (const path of Object.keys(cache)) writeSync(2, `loaded file://${path}\n`);
});
