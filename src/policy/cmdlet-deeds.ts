import { copiedFiles, within } from "./copied-files.js";
import type { FileDeed } from "./file-deed.js";
import { mostPaths } from "./places.js";
import { listSeparator } from "./powershell-words.js";
import { unknownPart } from "./shell-words.js";

type Deed = "remove" | "write" | "make" | "move" | "copy" | "rename" | "fetch";

/** What commands of PowerShell do to files, by all the names that they have. */
const deeds: Readonly<Record<string, Deed>> = {
  ...named("remove", "remove-item ri rm del erase rd rmdir"),
  ...named("write", "set-content sc add-content ac clear-content clc out-file tee-object tee"),
  ...named("write", "export-csv epcsv export-clixml"),
  ...named("make", "new-item ni"),
  ...named("move", "move-item mi move mv"),
  ...named("copy", "copy-item cpi copy cp"),
  ...named("rename", "rename-item rni ren"),
  ...named("fetch", "invoke-webrequest iwr invoke-restmethod irm"),
};

/** Parameters that take a word of their own, and those that take none. */
const valued = names(
  "path literalpath pspath lp filepath destination name newname itemtype type value target filter include exclude encoding credential stream width inputobject delimiter outfile uri method headers body contenttype websession useragent timeoutsec erroraction ea warningaction errorvariable ev outvariable ov variable",
);
/** Those of them whose word may be a path. */
const ofPaths = names("path literalpath pspath lp filepath destination name newname target outfile uri");
const switches = names(
  "recurse force confirm whatif append noclobber nonewline passthru asbytestream container verbose debug usebasicparsing notypeinformation",
);

/** What one of them does to files, and the addresses that it fetches. */
export interface CmdletDeeds {
  readonly files: readonly FileDeed[];
  readonly addresses: readonly string[];
}

/** @param name in lower case; undefined for what is no such command */
export function cmdletDeeds(name: string, args: readonly string[]): CmdletDeeds | undefined {
  // The PowerShell of Windows calls its own command so, and every other one the program.
  const isOwn = /^(?:curl|wget)$/.test(name) && args.some((arg) => /^-outf/i.test(arg));
  const deed = isOwn ? "fetch" : Object.hasOwn(deeds, name) ? deeds[name]! : undefined;
  if (!deed) return undefined;
  const given = readArguments(args);
  const addresses = deed === "fetch" ? [...given.of("uri"), ...given.operands.flat()].slice(0, 1) : [];
  return { files: filesOf(deed, name, given), addresses };
}

function filesOf(deed: Deed, name: string, given: Arguments): readonly FileDeed[] {
  const paths = given.of("path", "literalpath", "pspath", "lp", "filepath");
  const items = paths.length > 0 ? [paths, ...given.operands] : given.operands;
  const write = (written: readonly string[]): FileDeed => ({
    ...{ action: "file.write", paths: written.filter((path) => !isNoFile.test(path)), ofLinks: true },
  });
  switch (deed) {
    case "remove": {
      // What is piped into it nobody can tell.
      const removed =
        items.length === 0 ? [unknownPart] : items.flat().filter((path) => !isNoFile.test(path));
      const isFolder = given.isDeep || name === "rd" || name === "rmdir";
      return [{ action: isFolder ? "directory.delete" : "file.delete", paths: removed }];
    }
    case "write":
      return [write(name === "tee" ? items.flat() : (items[0] ?? []))];
    case "make":
      return [write(madeBy(items[0] ?? [], given))];
    case "rename": {
      const [[source = unknownPart] = [], [second = unknownPart] = []] = items;
      const folder = source.slice(0, source.lastIndexOf("/") + 1);
      const entry = given.of("newname")[0] ?? second;
      return [{ action: "file.move", paths: [source] }, write([within(folder, entry)])];
    }
    case "fetch":
      return [write(given.of("outfile"))];
    default:
      return copiedBy(deed, items, given);
  }
}

function madeBy(folders: readonly string[], given: Arguments): readonly string[] {
  const [kind = ""] = given.of("itemtype", "type");
  if (/^d/i.test(kind)) return [];
  const entries = given.of("name").slice(0, mostPaths + 1);
  // As many as make one more than is asked about one by one.
  const made = folders
    .filter((folder) => !isNoFile.test(folder))
    .slice(0, Math.ceil((mostPaths + 1) / Math.max(entries.length, 1)))
    .flatMap((folder) => (entries.length === 0 ? [folder] : entries.map((entry) => within(folder, entry))));
  // What a link leads to gets another name by it.
  const linked = /link$|^junction/i.test(kind) ? given.of("target", "value") : [];
  return [...(folders.length === 0 ? entries : made), ...linked];
}

function copiedBy(
  deed: "move" | "copy",
  items: readonly (readonly string[])[],
  given: Arguments,
): readonly FileDeed[] {
  const [named] = given.of("destination");
  const isLast = named === undefined && items.length > 1;
  const sources = (isLast ? items.slice(0, -1) : items).flat();
  const copy = {
    ...{ sources: sources.length === 0 ? [unknownPart] : sources, goes: "either" as const },
    target: named ?? (isLast ? (items.at(-1)![0] ?? ".") : "."),
    replaces: deed === "move",
  };
  const written = copiedFiles(copy);
  return deed === "move" ? [{ action: "file.move", paths: copy.sources }, written] : [written];
}

/** What a provider keeps that is no file: variables, functions and the like. */
const isNoFile = /^(?:env|variable|alias|function|hk[a-z]{2}|registry|cert):/i;

interface Arguments {
  /** The values of the parameters of these names. */
  of(...names: readonly string[]): readonly string[];
  /** Lists that stand behind no parameter. */
  readonly operands: readonly (readonly string[])[];
  /** Whether what lies in a folder is meant. */
  readonly isDeep: boolean;
}

/** A parameter may be cut short; where that leaves it open which it is, it takes no word away from what may be a path. */
function readArguments(args: readonly string[]): Arguments {
  const values = new Map<string, string[]>();
  const operands: (readonly string[])[] = [];
  let isDeep = false;
  for (let at = 0; at < args.length; at++) {
    const [, name, own] = /^-([A-Za-z]+)(?::(.*))?$/s.exec(args[at]!) ?? [];
    if (name === undefined) {
      operands.push(elements(args[at]!));
      continue;
    }
    const parameter = parameterOf(name.toLowerCase());
    // As the program of Unix takes it, which has the name where there is no such alias.
    isDeep ||= parameter === "recurse" || (/^[rfvi]+$/i.test(name) && /r/i.test(name));
    if (parameter === undefined || switches.has(parameter)) continue;
    const value = own ?? args[++at] ?? "";
    const known = values.get(parameter);
    if (known) for (const one of elements(value)) known.push(one);
    else values.set(parameter, [...elements(value)]);
  }
  return { of: (...asked) => asked.flatMap((name) => values.get(name) ?? []), operands, isDeep };
}

function parameterOf(name: string): string | undefined {
  if (valued.has(name) || switches.has(name)) return name;
  const meant = [...valued, ...switches].filter((one) => one.startsWith(name));
  // Each of them takes a word that is no path, so that it does not matter which it is.
  return meant.length === 1 || meant.every((one) => valued.has(one) && !ofPaths.has(one))
    ? meant[0]
    : undefined;
}

/** The elements of a list, with slashes. */
function elements(word: string): readonly string[] {
  return word
    .split(listSeparator)
    .filter((one) => one !== "")
    .map((one) => one.replaceAll("\\", "/").replace(/^(?:[\w.]+\/)?FileSystem::/i, ""));
}

function named(deed: Deed, all: string): Readonly<Record<string, Deed>> {
  return Object.fromEntries(all.split(" ").map((name) => [name, deed]));
}

function names(all: string): ReadonlySet<string> {
  return new Set(all.split(" "));
}
