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
  const path = plain(isWhole(given) ? given : `${from}/${given}`);
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

/** With slashes, and without steps on the spot or back. */
function plain(path: string): string {
  const slashes = path.replaceAll("\\", "/");
  const names: string[] = [];
  for (const name of slashes.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "." && name !== "") names.push(name);
  }
  return `${slashes.startsWith("/") ? "/" : ""}${names.join("/")}`;
}
