/** The names of a path, without `.`, `..` and doubled slashes. */
export interface ResolvedLevels {
  readonly names: readonly string[];
  /** Steps that lead above where it begins. */
  readonly above: number;
  /** Whether `..` leaves any number of levels, so that what it leads to cannot be told. */
  readonly leftAnyDepth: boolean;
}

/** What `..` leaves by any number of levels may have been any of them, so that it is any number of levels still. */
export function resolveLevels(path: string): ResolvedLevels {
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
