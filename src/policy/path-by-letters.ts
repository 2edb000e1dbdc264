/** From which folder paths are told. */
export interface Surrounding {
  /** Where relative paths begin: the folder in which the client works, which a model may change. */
  readonly folder: string;
  /** The folder that all paths are told relative to, wherever the client works. */
  readonly root?: string | undefined;
}

/**
 * The name of a path for rules, as its letters tell: nothing of the client's machine is looked at, and no link followed.
 * Relative to the root, or without one to the folder, where the path is below it; `.` is the root itself and `..` what it
 * lies in, so that rules for what is below it speak of them; else the whole path. A home stays what it is.
 */
export function pathByLetters(given: string, surrounding: Surrounding): string {
  return pathsByLetters(surrounding)(given);
}

/** The same for many paths, of which each costs no more for a folder that lies deep. */
export function pathsByLetters({ folder, root }: Surrounding): (given: string) => string {
  const from = folder === "" ? (root ?? "") : folder;
  const drive = from.startsWith("/") ? undefined : driveOf(from) || driveOf(root ?? "");
  const above = plain(root ?? folder);
  const aboveAll = within(above);
  const base = /^\/(?![/\\])/.test(from) ? plain(from) : undefined;
  return (given) => {
    if (given.startsWith("~")) return given;
    const isBelow = base !== undefined && (!isWhole(given) || /^[A-Za-z]:/.test(given));
    const { folder, names } = isBelow
      ? below(base, given)
      : { folder: plain(whole(given, from, drive)), names: [] };
    if (folder === above && names.length > 0) return names.join("/");
    const path = names.length === 0 ? folder : within(folder) + names.join("/");
    if (above === "") return path;
    if (path === above) return ".";
    if (above.startsWith(within(path))) return "..";
    return path.startsWith(aboveAll) ? path.slice(aboveAll.length) : path;
  };
}

function within(folder: string): string {
  return folder.endsWith("/") ? folder : `${folder}/`;
}

/** A path from a folder whose own name is plain already: the folder that it is in, this or one around it, and its names there. */
function below(base: string, given: string): { readonly folder: string; readonly names: readonly string[] } {
  let folder = base;
  const names: string[] = [];
  for (const name of given.replaceAll("\\", "/").split("/")) {
    if (name === "" || name === ".") continue;
    if (name !== "..") names.push(name);
    else if (names.pop() === undefined) folder = folder.slice(0, folder.lastIndexOf("/")) || "/";
  }
  return { folder, names };
}

/** Whether the path says by itself where it begins. */
export function isWhole(path: string): boolean {
  return /^(?:[\\/]|[A-Za-z]:[\\/])/.test(path);
}

/** @param drive that of the folder it begins in, where this is on one: what names none there is on the same */
function whole(given: string, from: string, drive: string | undefined): string {
  if (drive === undefined) {
    // Elsewhere a drive is a name as any other.
    const isName = from.startsWith("/") && /^[A-Za-z]:/.test(given);
    return isWhole(given) && !isName ? given : `${from}/${given}`;
  }
  const path = given.replaceAll("\\", "/").replace(/^\/\/[?.]\/(?=[A-Za-z]:)/, "");
  if (path.startsWith("//")) return path;
  // As the shells of Git for Windows name a drive.
  const [, letter, behind] = /^\/([A-Za-z])(?=\/|$)(.*)$/s.exec(path) ?? [];
  if (letter !== undefined) return `${letter}:${behind!}/`;
  if (path.startsWith("/")) return drive + path;
  const own = driveOf(path);
  if (own === undefined || path.charAt(2) === "/") return own === undefined ? `${from}/${path}` : path;
  return own === drive ? `${from}/${path.slice(2)}` : `${own}/${path.slice(2)}`;
}

function driveOf(path: string): string | undefined {
  const [, letter] = /^(?:[\\/]{2}[?.][\\/])?([A-Za-z]):/.exec(path) ?? [];
  return letter === undefined ? undefined : `${letter.toUpperCase()}:`;
}

/** With slashes, and without steps on the spot or back; none leads out of a drive. */
function plain(path: string): string {
  const slashes = path.replaceAll("\\", "/").replace(/^\/\/[?.]\/(?=[A-Za-z]:)/, "");
  const drive = isWhole(slashes) ? driveOf(slashes) : undefined;
  const names: string[] = [];
  for (const name of slashes.slice(drive?.length ?? 0).split("/")) {
    if (name === "..") names.pop();
    else if (name !== "." && name !== "") names.push(name);
  }
  const begin = drive !== undefined ? `${drive}/` : slashes.startsWith("/") ? "/" : "";
  return `${begin}${names.join("/")}`;
}
