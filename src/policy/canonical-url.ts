import { asciiLower } from "../addresses/index.js";
import { resolveLevels } from "./resolve-levels.js";

/** What browsers and the like ask by; of these one slash, several or backslashes behind the colon say the same. */
const ofTheWeb = /^(?:https?|wss?|ftp):[/\\]/i;
/** One letter is a drive. */
const anyScheme = /^(?:\*|[a-z*][a-z0-9+.*-]+):\/\//i;

export function isUrl(text: string): boolean {
  return ofTheWeb.test(text) || anyScheme.test(text);
}

/**
 * A URL in the one form in which URLs are compared, as the URL standard reads it: scheme and host in lower case, a host in
 * other letters as punycode, an IPv4 address as four numbers; without user, default port, dot at the end of the host and
 * fragment; `..` resolved, and never beyond the host; without encodings that change nothing. A page has no slash at its
 * end, and the root of a host is one slash. The slashes of a query stay encoded, since they are no levels.
 *
 * @param isOfWeb whether it is about a page that is fetched: pages are named by host and path, without a scheme
 * @returns undefined for what is no URL, and names no page
 */
export function canonicalUrl(given: string, isOfWeb: boolean): string | undefined {
  const text = withoutBlanks(given);
  if (isUrl(text)) return inOneForm(text, isOfWeb);
  if (isOfWeb && /^(?:https?|wss?):/i.test(text)) return inOneForm(text.replace(":", "://"), true);
  // What has blanks is what somebody looks for, and no page.
  return isOfWeb && /^[^./~\\\s]\S*$/.test(text) ? inOneForm(`https://${text}`, true) : undefined;
}

/** Without what whoever reads a URL leaves out: some blanks anywhere, and what is no sign at its beginning and end. */
function withoutBlanks(given: string): string {
  let [from, end] = [0, given.length];
  while (from < end && given[from]! <= " ") from += 1;
  while (end > from && given[end - 1]! <= " ") end -= 1;
  return given.slice(from, end).replace(/[\t\n\r]/g, "");
}

/** What a URL of the web names a page by: neither scheme nor user, the host in lower case. Also of a beginning of one. */
export function withoutScheme(text: string): string | undefined {
  if (!ofTheWeb.test(text)) return undefined;
  const rest = text.replace(/^[^:]+:[/\\]*(?:[^/\\?#]*@)?/, "");
  return rest.replace(/^[^/\\?#]*/, asciiLower);
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

function inOneForm(text: string, isOfWeb: boolean): string {
  const { scheme, host, path, query } = partsOf(text);
  const names = decodedPath(path)
    .split("/")
    .filter((name) => name !== "");
  const page = names.join("/").normalize("NFC");
  const asked = decodedQuery(query);
  if (isOfWeb && host !== "" && (ofTheWeb.test(text) || scheme.includes("*")))
    return page === "" && asked === "" ? host : `${host}/${page}${asked}`;
  // Behind any number of levels there is no root.
  if (page === "" && asked === "" && host.endsWith("**")) return `${scheme}://${host}`;
  return `${scheme}://${host}/${page}${asked}`;
}

interface UrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
}

function partsOf(text: string): UrlParts {
  const byHand = partsByHand(text);
  // A wildcard in the place of the scheme is read as if it were one of the web.
  const read = parsed(byHand.scheme.includes("*") ? text.replace(/^[^:]+/, "https") : text);
  const host = asciiLower(read?.host ?? byHand.host).replace(/\.(?=:|$)/, "");
  const hasDepth = byHand.path.includes("**") && byHand.path.includes("..");
  const path =
    read && !hasDepth
      ? read.pathname
      : resolveLevels(byHand.path)
          .names.map((name) => `/${name}`)
          .join("");
  return { scheme: byHand.scheme, host, path, query: read?.search ?? byHand.query };
}

function parsed(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** Of what nobody can fetch, since it is no URL after all, and of what has wildcards that a URL has not. */
function partsByHand(text: string): UrlParts {
  const [, scheme, authority, rest, query] = (
    ofTheWeb.test(text)
      ? /^([^:]+):[/\\]*([^/?#\\]*)([^?#]*)(\?[^#]*)?/
      : /^([^:]+):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?/
  ).exec(text)!;
  const slashed = ofTheWeb.test(text) ? rest!.replaceAll("\\", "/") : rest!;
  return {
    scheme: asciiLower(scheme!),
    host: authority!.slice(authority!.lastIndexOf("@") + 1),
    path: slashed.replace(/%2e/gi, "."),
    query: query ?? "",
  };
}

/** What separates and assigns in a query stays as it is written, and so do encodings of it. */
function decodedQuery(query: string): string {
  if (query === "?") return "";
  const plain = query.replace(/%[0-9a-f]{2}/gi, (encoded) => {
    const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
    return /[a-z0-9._~-]/i.test(character) ? character : encoded.toUpperCase();
  });
  return plain.replaceAll("/", "%2F");
}
