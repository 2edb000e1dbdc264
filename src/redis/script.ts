import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

/** One operation on the store, as Lua source that runs whole or not at all. */
export interface Script {
  readonly name: string;
  /** The source for a server that knows `#!lua` flags, and the one for an engine that does not. */
  readonly source: string;
  readonly sha: string;
  readonly plainSource: string;
  readonly plainSha: string;
}

const include = /^--@include (\S+)$/gm;

/**
 * Loads a script from beside the code that calls it: `loadScript(import.meta.url, "send-message.lua")`.
 *
 * Lines `--@include name.lua` are replaced by the named file, so that what several operations share (the clock, the
 * delivery record) is written once. The first line must be `#!lua` with its flags.
 */
export function loadScript(callerUrl: string, file: string): Script {
  const url = new URL(file, callerUrl);
  const source = readFileSync(url, "utf8").replace(include, (_, path: string) =>
    included(new URL(path, url)),
  );
  if (!source.startsWith("#!lua")) throw new Error(`${fileURLToPath(url)} does not begin with #!lua`);
  const plainSource = `--${source.slice(2)}`;
  return {
    name: basename(file, ".lua"),
    source,
    sha: sha1(source),
    plainSource,
    plainSha: sha1(plainSource),
  };
}

const includedBy = new Map<string, string>();

/** Read once: most scripts share a few of these. */
function included({ href }: URL): string {
  const known = includedBy.get(href);
  if (known !== undefined) return known;
  const text = readFileSync(new URL(href), "utf8").trimEnd();
  includedBy.set(href, text);
  return text;
}

/** EVALSHA names scripts by SHA-1; nothing secret depends on it. */
function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
