import { asciiLower } from "../addresses/index.js";

/**
 * A resource as it is compared. Of a path, `.`, `..`, doubled slashes and backslashes are resolved, so that
 * `prod/../prod/a`, `./prod/a`, `prod\a` and `prod/a/` are one resource; a name without a slash stays what it is. Steps
 * above where a path begins stay before it. What `..` leaves by any number of levels may have been any of them, so that
 * it is any number of levels still. Of a URL host and encoding are brought into one form, and its fragment is left out.
 */
export function canonicalResource(given: string): string {
  const text = inOneForm(given);
  if (isTopic(text)) return asciiLower(text);
  if (text === "." || text === "..") return text;
  if (!text.includes("/")) return text;
  const { names, above } = resolved(text);
  if (text.startsWith("/")) return `/${names.join("/")}`;
  return [...Array<string>(above).fill(".."), ...names].join("/") || ".";
}

/** Whether `..` leaves any number of levels: what such a pattern is to mean cannot be told. */
export function leavesAnyDepth(pattern: string): boolean {
  return resolved(inOneForm(pattern)).leftAnyDepth;
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

export function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
}

/** A path of a URL without the encodings that change nothing; what would become a part of it stays encoded. */
export function decodedPath(path: string): string {
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (encoded) => {
    const kept = encoded.split(/(%(?:2f|5c|3f|23|25|2a|[01][0-9a-f]|7f))/i);
    return kept.map((part, n) => (n % 2 === 1 ? part.toUpperCase() : decoded(part))).join("");
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text.toUpperCase();
  }
}

function kindOf(text: string): "topic" | "lock" | "state" | undefined {
  if (/^topic:/i.test(text)) return "topic";
  if (text.startsWith("lock:")) return "lock";
  return text.startsWith("state:") ? "state" : undefined;
}

/** In a path a backslash stands for a slash, as on Windows; in what is ours it is a character like others. */
function inOneForm(given: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: most texts are plain, and need no look at Unicode
  const text = /^[\x00-\x7f]*$/.test(given) ? given.trim() : given.trim().normalize("NFC");
  if (isOfOurs(text)) return text;
  if (isUrl(text)) return urlInOneForm(text);
  const path = text.replaceAll("\\", "/");
  if (!path.includes("/")) return path;
  return path.replace(/^\/\/[?.]\/(?=.)/, "").replace(/^[a-z]:(?=\/)/, (drive) => drive.toUpperCase());
}

const ports: Readonly<Record<string, string>> = {
  http: ":80",
  https: ":443",
  ws: ":80",
  wss: ":443",
  ftp: ":21",
};

function urlInOneForm(text: string): string {
  const [, scheme, authority, path, query] = /^([^:]+):\/\/([^/?#\\]*)([^?#]*)(\?[^#]*)?/.exec(text)!;
  const protocol = asciiLower(scheme!);
  let host = asciiLower(authority!.slice(authority!.lastIndexOf("@") + 1));
  const port = ports[protocol];
  if (port !== undefined && host.endsWith(port)) host = host.slice(0, -port.length);
  const rest = decodedPath(path!.replaceAll("\\", "/"));
  return `${protocol}://${host.replace(/\.(?=:|$)/, "")}${rest}${(query ?? "").replaceAll("/", "%2F")}`;
}

function resolved(path: string): {
  readonly names: readonly string[];
  /** Steps that lead above where it begins. */
  readonly above: number;
  readonly leftAnyDepth: boolean;
} {
  let names: string[] = [];
  let above = 0;
  let leftAnyDepth = false;
  for (const name of path.split("/")) {
    if (name === "..") {
      const left = names.pop();
      if (left === undefined) above += 1;
      if (!left?.includes("**")) continue;
      leftAnyDepth = true;
      names = ["**"];
    } else if (name !== "" && name !== ".") names.push(name);
  }
  return { names, above, leftAnyDepth };
}
