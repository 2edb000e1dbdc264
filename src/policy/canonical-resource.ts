import { asciiLower } from "../addresses/index.js";
import { canonicalUrl, isUrl } from "./canonical-url.js";
import { resolveLevels } from "./resolve-levels.js";

/**
 * A resource as it is compared. Of a path, `.`, `..`, doubled slashes and backslashes are resolved, so that
 * `prod/../prod/a`, `./prod/a`, `prod\a` and `prod/a/` are one resource; a name without a slash stays what it is. Steps
 * above where a path begins stay before it. What is ours keeps its kind, behind which it is read as its room reads it. A
 * URL is in the one form of URLs.
 *
 * @param isOfWeb whether it is what an action of `isOfWeb` is about: pages are named by host and path there
 */
export function canonicalResource(given: string, isOfWeb = false): string {
  const text = composed(given.trim());
  const kind = kindOf(text);
  if (kind === "topic") return asciiLower(text);
  if (kind !== undefined) return `${kind}:${nameOfOurs(text.slice(kind.length + 1), kind)}`;
  const url = isOfWeb || text.includes(":") ? canonicalUrl(text, isOfWeb) : undefined;
  return url ?? canonicalPath(text);
}

/** Whether an action is about pages, whose names have no scheme. */
export function isOfWeb(action: string): boolean {
  return action === "web" || action.startsWith("web.");
}

/** Whether `..` leaves any number of levels: what such a pattern is to mean cannot be told. */
export function leavesAnyDepth(pattern: string): boolean {
  const text = isUrl(pattern.trim()) ? pattern.replace(/%2e/gi, ".") : pattern;
  return resolveLevels(text.replaceAll("\\", "/")).leftAnyDepth;
}

/** Whether a resource is written as a folder is, so that all that lies in it is meant too. */
export function endsAsFolder(given: string): boolean {
  const text = given.trim();
  const kind = kindOf(text);
  if (kind === "topic" || kind === "lock" || isUrl(text)) return false;
  return /(?:[/\\]|^|[/\\]\.|^\.|[/\\]\.\.|^\.\.)$/.test(text) && text !== "";
}

/** Of what is ours a name is no path of a folder, whatever slashes stand in it. */
export function isOfOurs(resource: string): boolean {
  return kindOf(resource) !== undefined;
}

export function isTopic(text: string): boolean {
  return kindOf(text) === "topic";
}

function kindOf(text: string): "topic" | "lock" | "state" | undefined {
  const [, kind] = /^(topic|lock|state):/i.exec(text) ?? [];
  return kind === undefined ? undefined : (asciiLower(kind) as "topic" | "lock" | "state");
}

/** Rooms refuse what leads above the first level: it is compared as if it began there. */
function nameOfOurs(text: string, kind: "lock" | "state"): string {
  const name = kind === "state" ? asciiLower(text) : text;
  return name.includes("/") || /^\.*$/.test(name) ? resolveLevels(name).names.join("/") : name;
}

/** In a path a backslash stands for a slash, as on Windows; in what is ours it is a character like others. */
function canonicalPath(text: string): string {
  const slashed = text.replaceAll("\\", "/");
  if (slashed === "." || slashed === ".." || !slashed.includes("/")) return slashed;
  const path = slashed
    .replace(/^\/\/[?.]\/(?=.)/, "")
    .replace(/^[a-z]:(?=\/)/, (drive) => drive.toUpperCase());
  const [drive] = /^[A-Z]:\//.exec(path) ?? [];
  if (drive !== undefined) return [drive.slice(0, 2), ...resolveLevels(path.slice(3)).names].join("/");
  const { names, above } = resolveLevels(path);
  if (path.startsWith("/")) return `/${names.join("/")}`;
  return [...Array<string>(above).fill(".."), ...names].join("/") || ".";
}

/** Most texts are plain, and need no look at Unicode. */
function composed(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: plain are the characters of ASCII
  return /^[\x00-\x7f]*$/.test(text) ? text : text.normalize("NFC");
}
