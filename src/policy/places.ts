import { posix } from "node:path";
import { inBraces } from "./brace-alternatives.js";
import type { ClientAction } from "./client-actions.js";
import type { Reading } from "./reading.js";
import { unknownPart } from "./shell-words.js";
import type { ToolStep } from "./tool-step.js";

/** Paths of one command that are asked about one by one; of more, all paths there are. */
export const mostPaths = 50;
export const anything = "**";

/** Characters of the path of a folder; from a deeper one nothing is told. */
const mostFolder = 4_096;

/**
 * What is asked about where only the shell could tell which path is meant. What deletes is asked about as if it were all
 * there are. A write is not: most write to a name that they made up themselves, and each of them would wait for a person
 * wherever a rule speaks of some folder.
 */
export function unknownOf(action: ClientAction): string {
  return action.endsWith(".delete") ? anything : "";
}

/** How paths of a command are named, wherever it went before. */
export class Places {
  /** What it may cost to tell them, together with all else that is read. */
  readonly reading: Reading;
  readonly #pathOf: (path: string) => string;
  #folder: string;
  #isLost: boolean;

  /** @param pathOf the name under which a path is known to rules */
  constructor(pathOf: (path: string) => string, reading: Reading, folder = "", isLost = false) {
    this.#pathOf = pathOf;
    this.reading = reading;
    this.#folder = folder;
    this.#isLost = isLost;
  }

  /** Goes to another folder, as `cd` does; a shell may come back from it unseen. */
  goTo(given: string | undefined): void {
    const path = given?.replace(/^~\+(?=\/|$)/, ".");
    if (path === undefined || !isPlain(path)) this.#isLost = true;
    else this.#folder = `${withoutSlashes(`${isWhole(path) ? "" : this.#folder}${path}`)}/`;
    if (this.#folder.length <= mostFolder) return;
    this.#folder = "";
    this.#isLost = true;
  }

  /** The same, which goes elsewhere by itself. */
  copy(): Places {
    return new Places(this.#pathOf, this.reading, this.#folder, this.#isLost);
  }

  /** The same from other folders, one after the other, for one command alone. */
  in(folders: readonly string[]): Places {
    if (folders.length === 0) return this;
    const places = this.copy();
    for (const folder of folders) places.goTo(folder);
    return places;
  }

  /**
   * By its own name and by that from the folder that was gone to; where nobody can tell, by what it may be too.
   *
   * @param ofLink whether a link is meant itself, and not only what it leads to
   */
  resources(given: string, action: ClientAction, ofLink = false): readonly string[] {
    // The folder of the shell, as a variable of it says; the one before it and those on its stack nobody knows.
    const [, own, behind] = /^~(\+?|-|[-+]?\d+)(?=\/|$)(.*)$/s.exec(given) ?? [];
    if (own === "+")
      return [...new Set([...this.resources(`.${behind!}`, action, ofLink), unknownOf(action)])];
    if (own) return [unknownOf(action)];
    const elsewhere = this.#folder === "" || isWhole(given) ? [] : this.#from(given);
    const ofRoot = /^~root(?=\/|$)/.test(given) ? [`/${given.slice(1)}`] : [];
    const named = [given, ...elsewhere, ...ofRoot].flatMap((path) =>
      pathNames(path, action, this.#pathOf, ofLink),
    );
    return this.#isLost && !isWhole(given) ? [...named, somewhere(given, action)] : named;
  }

  /** A shell takes `..` back by letters when it goes to a folder, and a program that is put there does not. */
  #from(path: string): readonly string[] {
    const folders = this.#folder.includes("..")
      ? [this.#folder, posix.normalize(this.#folder)]
      : [this.#folder];
    return folders.map((folder) => folder + path);
  }
}

/** A path from a folder that nobody knows. */
function somewhere(path: string, action: ClientAction): string {
  const any = unknownOf(action);
  return any === "" || path.includes("..") ? any : `${any}/${path.replace(/^(?:\.\/+)+/, "")}`;
}

/**
 * The names of a path to which something is done. What deletes a link, or puts something in its place, leaves alone what it
 * leads to, so that this is told by the name of the folder that the link lies in too.
 */
export function pathNames(
  path: string,
  action: ClientAction,
  pathOf: (path: string) => string,
  ofLink = false,
): readonly string[] {
  const name = pathOf(path);
  const end = withoutSlashes(path).length;
  const from = path.lastIndexOf("/", end - 1) + 1;
  const entry = path.slice(from, Math.max(from, end));
  if ((!ofLink && !/\.(?:delete|move)$/.test(action)) || /^(?:|\.{1,2}|~.*)$/s.test(entry)) return [name];
  const above = pathOf(path.slice(0, from) || ".");
  if (above === ".." || above === "") return [name];
  const own = above === "." ? entry : `${above.replace(/\/$/, "")}/${entry}`;
  return own === name || `${own}/` === name ? [name] : [name, own];
}

/** What more is meant by a path than the file of that name. */
export interface PathSense {
  /** What lies in it, if it is a folder, which its action does not say by itself. */
  readonly takesAll?: boolean;
  /** A link of that name itself. */
  readonly ofLinks?: boolean;
  /** The one of the paths that is meant only if it is no folder. */
  readonly asFile?: string;
}

/** The steps of one action on paths as a shell reads them; without any, on what only the shell could tell. */
export function stepsOn(
  action: ClientAction,
  operands: readonly string[],
  places: Places,
  { takesAll = false, ofLinks = false, asFile }: PathSense = {},
): ToolStep[] {
  const paths = operands.slice(0, mostPaths + 1).flatMap((operand) => inBraces(operand, places.reading));
  if (paths.length > mostPaths) return [{ action, resource: anything }];
  const all = (path: string): readonly string[] =>
    places
      .resources(path, action, ofLinks)
      .map((one) => (/(?:^|^\.|^\.\.|\/|\*\*)$/.test(one) ? one : `${one}/`));
  const named = (path: string): readonly string[] => {
    if (takesAll) return all(patternOf(path));
    const names = places.resources(patternOf(path), action, ofLinks);
    return path === asFile ? names.map((name) => (/^\.{1,2}$/.test(name) ? unknownOf(action) : name)) : names;
  };
  const resources = [
    ...paths.filter(isKnown).flatMap(named),
    ...paths.filter((path) => !isKnown(path)).flatMap((path) => partlyKnown(path, action, all)),
    ...(paths.length === 0 ? [unknownOf(action)] : []),
  ];
  return resources.map((resource) => ({ action, resource }));
}

/**
 * What may be meant by a path of which only the shell could tell a part: all that lies in the folder it begins with, as far
 * as it ends as the path does.
 *
 * @param namesOf the names of a folder
 */
function partlyKnown(
  path: string,
  action: ClientAction,
  namesOf: (folder: string) => readonly string[],
): readonly string[] {
  const [begins] = /^[^{}\0]*/.exec(path)!;
  const [, ends = ""] = /[{}\0]([^{}\0]*)$/.exec(path)!;
  const slash = ends.indexOf("/");
  const name = patternOf(slash < 0 ? `*${ends}` : ends.slice(slash + 1));
  const tail = /^\**$|\/$|\.\./.test(name) ? "" : `/${name}`;
  const any = unknownOf(action) && `${anything}${tail}`;
  if (!begins.includes("/")) return [any];
  return namesOf(patternOf(begins.slice(0, begins.lastIndexOf("/")) || "/")).map((folder) => {
    if (isAround(folder)) return any;
    return tail === "" ? folder : `${folder}${folder.endsWith("/") ? "" : "/"}${anything}${tail}`;
  });
}

/** The root, or what that lies in: in there is all there is. */
function isAround(resource: string): boolean {
  return /^(?:\.{0,2}|\/)$/.test(resource);
}

/** Whether it is told without the shell which files are meant. */
function isKnown(path: string): boolean {
  return !/[{}]/.test(path) && !path.includes(unknownPart);
}

/** A path as rules know paths and patterns of them. */
function patternOf(path: string): string {
  const levels = path.replaceAll("?", "*").split("/");
  return levels.map((level) => (level.includes("[") ? "*" : level)).join("/");
}

/** Without those at its end; step by step, as an expression would try each run of them anew from each of its slashes. */
export function withoutSlashes(path: string): string {
  let end = path.length;
  while (path[end - 1] === "/") end -= 1;
  return path.slice(0, end);
}

/** Whether the path means one folder, without the shell. */
function isPlain(path: string): boolean {
  return !/[*?[\]{}~]/.test(path.replace(/^~(?=\/|$)/, "")) && !path.includes(unknownPart);
}

/** Whether it is the same path from every folder. */
function isWhole(path: string): boolean {
  return /^[/~]/.test(path);
}
