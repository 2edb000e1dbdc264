import { decodedPath } from "./canonical-url.js";

/** What a page of the web is called in rules: its host and path, without what the query says. */
export function webResource(given: string): string {
  try {
    const { host, pathname } = new URL(given);
    return `${host.replace(/\.(?=:|$)/, "")}${pathname === "/" ? "" : decodedPath(pathname)}`;
  } catch {
    return "";
  }
}
