import { anything } from "./places.js";

/** Paths of one call that are looked up: several for each step that it may have. */
const mostLookups = 500;

/** The same names, each looked up once; after a great many, all paths there are. */
export function fewLookups(pathOf: (path: string) => string): (path: string) => string {
  const known = new Map<string, string>();
  return (path) => {
    const name = known.get(path) ?? (known.size < mostLookups ? pathOf(path) : anything);
    if (known.size < mostLookups) known.set(path, name);
    return name;
  };
}
