import { decodedPath } from "./canonical-url.js";

/** Characters of the path of a page that are told: where there are as many, no rule is asked about it, and it is denied. */
const longestPage = 16 * 1024;

/** What a page of the web is called in rules: its host and path, without what the query says. */
export function webResource(given: string): string {
  try {
    const { host, pathname } = new URL(given);
    const page = pathname === "/" ? "" : decodedPath(pathname.slice(0, longestPage));
    return `${host.replace(/\.(?=:|$)/, "")}${page}`;
  } catch {
    return "";
  }
}
