import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Set as `NODE_OPTIONS`, makes a program tell on standard error what it loads. */
export const tellingLoads = `--import ${new URL("loaded-modules.mjs", import.meta.url).href}`;

/** What a program has loaded: modules of the house by their sources, `src/mcp/relay.ts`, and packages by their names. */
export interface Loaded {
  readonly sources: readonly string[];
  readonly packages: readonly string[];
}

/** @param told standard error of a program that told its loads, and has ended */
export function loadedBy(told: string): Loaded {
  const sources = new Set<string>();
  const packages = new Set<string>();
  for (const [, url] of told.matchAll(/^loaded (file:.*)$/gm)) {
    const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url!)?.[1];
    if (name) packages.add(name);
    // The build says before each module in a part of the program where it comes from.
    else if (url!.includes("/dist/"))
      for (const [, source] of readFileSync(fileURLToPath(url!), "utf8").matchAll(
        /^\/\/.*?(src\/\S+\.ts)$/gm,
      ))
        sources.add(source!);
  }
  return { sources: [...sources].sort(), packages: [...packages].sort() };
}
