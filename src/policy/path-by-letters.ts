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
export function pathByLetters(given: string, { folder, root }: Surrounding): string {
  if (given.startsWith("~")) return given;
  const from = folder === "" ? (root ?? "") : folder;
  const drive = from.startsWith("/") ? undefined : driveOf(from) || driveOf(root ?? "");
  const path = plain(whole(given, from, drive));
  const above = plain(root ?? folder);
  if (above === "") return path;
  if (path === above) return ".";
  const within = (folder: string): string => (folder.endsWith("/") ? folder : `${folder}/`);
  if (above.startsWith(within(path))) return "..";
  return path.startsWith(within(above)) ? path.slice(within(above).length) : path;
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
