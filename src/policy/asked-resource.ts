import { endsAsFolder, isOfOurs, isOfWeb, isTopic } from "./canonical-resource.js";
import { isUrl } from "./canonical-url.js";
import { isDeed } from "./nearest-actions.js";

/** A resource that somebody asks about, as patterns are held against it. */
export interface AskedResource {
  /** Its levels: of one without wildcards exactly one list, otherwise all lists that it stands for. */
  readonly readings: readonly (readonly string[])[];
  /** What it may mean besides, which restrictions speak of too. */
  readonly perhaps: readonly (readonly string[])[];
  /** Whether it stands for more names than one. */
  readonly isPattern: boolean;
  /** Whether what lies in it is asked about too, by what it is called or by what is to be done with it. */
  readonly folder: "certain" | "possible" | undefined;
  /** Whether it is a page, named by host and path. */
  readonly isOfWeb: boolean;
  readonly length: number;
}

/** Deeds that take along what lies in a folder; nothing lies in one that is about to be made. */
const takesAlong = ["delete", "move", "copy", "grant"];

/**
 * @param given as it was written, where a slash at the end says that it is a folder
 * @param canonical the same as it is compared
 */
export function askedResource(given: string, canonical: string, action: string): AskedResource {
  const leadsAbove = /^\.\.(?:\/|$)/.test(canonical);
  const own = leadsAbove ? ["**", ...canonical.split("/").filter((name) => name !== "..")] : undefined;
  return {
    readings: own ? [own] : isAnything(canonical) ? [["**"]] : readings(canonical),
    perhaps: perhapsMeant(canonical, isOfWeb(action)),
    isPattern: leadsAbove || canonical.includes("*"),
    folder: folderOf(given, canonical, action),
    isOfWeb: isOfWeb(action),
    length: canonical.length,
  };
}

/**
 * The levels that a canonical resource stands for: those of a topic have dots between them, all others slashes. The
 * first level of an address has its kind before it, so that any depth there is no level, or one and any number more.
 */
export function readings(resource: string): readonly (readonly string[])[] {
  if (resource === ".") return [[]];
  const levels = resource === "/" ? [""] : resource.split(isTopic(resource) ? "." : "/");
  const [, kind] = /^([a-z][a-z0-9_-]*:)\*\*+$/i.exec(levels[0]!) ?? [];
  if (kind === undefined) return [levels];
  const [, second, ...rest] = levels;
  const deep = [`${kind}*`, "**", ...levels.slice(1)];
  return second === undefined || second === "**" ? [deep] : [deep, [kind + second, ...rest]];
}

/** Whether the pattern stands for anything at all: `*` alone means what `**` does. */
export function isAnything(pattern: string): boolean {
  return pattern === "*" || pattern === "**";
}

/** Where homes of people usually are, since only their machine knows where this one is; and a page without its query. */
function perhapsMeant(canonical: string, ofWeb: boolean): readonly (readonly string[])[] {
  const [, user, rest] = /^~([^/]*)((?:\/.*)?)$/.exec(canonical) ?? [];
  if (user !== undefined) {
    const name = user || "*";
    const homes = [`/home/${name}`, `/Users/${name}`, `C:/Users/${name}`, ...(user === "" ? ["/root"] : [])];
    return homes.map((home) => `${home}${rest}`.split("/"));
  }
  const query = ofWeb || isUrl(canonical) ? canonical.indexOf("?") : -1;
  if (query < 0) return [];
  const page = canonical.slice(0, query);
  return [(ofWeb ? page.replace(/\/$/, "") : page).split("/")];
}

function folderOf(given: string, canonical: string, action: string): AskedResource["folder"] {
  const levels = action.split(".");
  // A page is no folder of those whose addresses go on from its own.
  if (isOfWeb(action) || isUrl(given.trim()) || canonical === "") return undefined;
  if (levels.some((level) => isDeed(level, ["create"]))) return undefined;
  if (endsAsFolder(given)) return "certain";
  if (isOfOurs(canonical) || !levels.some((level) => isDeed(level, takesAlong))) return undefined;
  return /^(?:directory|dir|folder)$/.test(levels[0]!) ? "certain" : "possible";
}
