import { decodedPath } from "./canonical-url.js";
import { maxResourceLength } from "./name-pattern.js";

/** Characters of an address that is read. A longer one is told by its beginning, which is too long for rules, and denied. */
const longestAddress = 16 * 1024;

/** What a page of the web is called in rules: its host and path, without what the query says. */
export function webResource(given: string): string {
  if (given.length > longestAddress) return given.slice(0, maxResourceLength + 1).replace(/\s/g, "_");
  try {
    const { host, pathname } = new URL(given);
    const page = pathname === "/" ? "" : decodedPath(pathname);
    return `${host.replace(/\.(?=:|$)/, "")}${page}`;
  } catch {
    return "";
  }
}
