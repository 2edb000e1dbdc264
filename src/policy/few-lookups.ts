import { anything } from "./places.js";
import type { Reading } from "./reading.js";

/** Paths of one call that are looked up: several for each step that it may have. */
const mostLookups = 500;

const lookupSteps = 10;

/** The same names, each looked up once; after a great many, all paths there are. */
export function fewLookups(pathOf: (path: string) => string, reading: Reading): (path: string) => string {
  const known = new Map<string, string>();
  return (path) => {
    reading.spend(lookupSteps + (path.length >> 2));
    const name = known.get(path) ?? (known.size < mostLookups ? pathOf(path) : anything);
    if (known.size < mostLookups) known.set(path, name);
    return name;
  };
}
