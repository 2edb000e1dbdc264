import { inBraces } from "./brace-alternatives.js";
import { has, operandsOf, options, optionValues, withoutValues } from "./command-options.js";
import { copiedFiles, entryOf, within } from "./copied-files.js";
import type { FileDeed } from "./file-deed.js";
import { mostPaths } from "./places.js";
import type { Reading } from "./reading.js";

const valued: Readonly<Record<string, readonly string[]>> = {
  cp: options("t target-directory S suffix"),
  mv: options("t target-directory S suffix"),
  ln: options("t target-directory S suffix"),
  install: options("t target-directory S suffix m mode o owner g group strip-program"),
  scp: options("c D F i J l o P S X"),
  rsync: options(
    "e rsh f filter exclude include exclude-from include-from files-from T temp-dir B block-size M remote-option port log-file password-file backup-dir suffix timeout contimeout bwlimit chmod chown usermap groupmap max-size min-size partial-dir compare-dest copy-dest link-dest out-format log-file-format",
  ),
  touch: options("d date r reference t time"),
  truncate: options("s size r reference"),
  shred: options("n iterations s size random-source"),
  sed: options("e expression f file l line-length"),
  perl: options("e E I"),
};

/** Of programs that edit texts: options by which they do it in the file, and by which they are told what to do. */
const editors: Readonly<Record<"sed" | "perl", { readonly inPlace: RegExp; readonly script: RegExp }>> = {
  sed: { inPlace: /^(?:-[nErsuzb]*[iI]|--i)/, script: /^(?:-[nErsuzb]*[ef]|--(?:exp|file))/ },
  perl: { inPlace: /^-[aclnpsSTtuUvwWX0-9]*i/, script: /^-[aclnpsSTtuUvwWX0-9]*[eE]/ },
};

/** What a program of Unix does to the files that it is told; nothing for one that is not known for it. */
export function writtenFiles(
  program: string,
  args: readonly string[],
  reading: Reading,
): readonly FileDeed[] {
  const operands = operandsOf(args, valued[program] ?? []);
  const chosen = (): readonly string[] => operands.flatMap((operand) => inBraces(operand, reading));
  switch (program) {
    case "tee":
    case "touch":
      return [{ action: "file.write", paths: operands }];
    case "truncate":
      // What was in it is lost.
      return [
        { action: "file.delete", paths: operands },
        { action: "file.write", paths: operands },
      ];
    case "shred":
      return [{ action: "file.delete", paths: operands }];
    case "dd":
      return [
        { action: "file.write", paths: args.filter((arg) => /^of=./.test(arg)).map((arg) => arg.slice(3)) },
      ];
    case "sed":
    case "perl":
      return editedBy(program, args);
    case "cp":
    case "mv":
    case "ln":
    case "install":
      return copiedBy(program, args, chosen());
    case "scp":
    case "rsync":
      return sentBy(program, args, chosen());
    default:
      return [];
  }
}

function editedBy(program: "sed" | "perl", args: readonly string[]): readonly FileDeed[] {
  const { inPlace, script } = editors[program];
  const others = args.filter((arg) => !inPlace.test(arg));
  if (others.length === args.length) return [];
  const files = operandsOf(others, valued[program]);
  // Elsewhere than with GNU an empty word behind the option says that no copy is kept.
  const operands = files[0] === "" ? files.slice(1) : files;
  const isTold = others.some((arg) => script.test(arg));
  return [{ action: "file.write", paths: isTold ? operands : operands.slice(1), ofLinks: true }];
}

function copiedBy(
  program: "cp" | "mv" | "ln" | "install",
  args: readonly string[],
  operands: readonly string[],
): readonly FileDeed[] {
  const given = withoutValues(args, valued[program]!);
  if (program === "install" && has(given, "d", "--directory")) return [];
  const folder = optionValues(args, ["-t", "--target-directory"], valued[program]!).at(-1);
  const isAlone = folder === undefined && operands.length === 1 && program === "ln";
  const sources = folder === undefined && !isAlone ? operands.slice(0, -1) : operands;
  const target = folder ?? (isAlone ? "." : (operands.at(-1) ?? ""));
  if (sources.length === 0) return [];
  const isFile = has(given, "T", "--no-target-directory");
  const keepsPath = program === "cp" && has(given, "", "--parents");
  const isFolder = folder !== undefined || isAlone || keepsPath;
  const written = copiedFiles({
    ...{ sources, target, goes: isFolder ? "into" : isFile ? "onto" : "either" },
    replaces: program !== "cp",
    keepsPath,
  });
  if (program === "mv") return [{ action: "file.move", paths: sources }, written];
  return program === "ln" ? [written, linkedBy(given, sources, written.paths)] : [written];
}

/** What gets another name, under which no rule would know it. */
function linkedBy(given: readonly string[], sources: readonly string[], links: readonly string[]): FileDeed {
  if (!has(given, "s", "--symbolic")) return { action: "file.write", paths: sources };
  // What a link holds is told from the folder that the link lies in.
  const folders = new Set(links.map((link) => link.slice(0, link.lastIndexOf("/") + 1)));
  const few = [...new Set(sources)].slice(0, mostPaths + 1);
  const paths = few.flatMap((source) => [...folders].map((folder) => within(folder, source)));
  return { action: "file.write", paths: [...new Set(paths)] };
}

function sentBy(
  program: "scp" | "rsync",
  args: readonly string[],
  operands: readonly string[],
): readonly FileDeed[] {
  const [sources, target] = [operands.slice(0, -1), operands.at(-1) ?? ""];
  const given = withoutValues(args, valued[program]!);
  const isRsync = program === "rsync";
  if (sources.length === 0 || (isRsync && has(given, "n", "--dry-run"))) return [];
  const moves = isRsync && given.some((arg) => /^--remove-s/.test(arg));
  const moved = moves ? sources.filter((source) => !isElsewhere.test(source)) : [];
  const deeds: FileDeed[] = [{ action: "file.move", paths: moved, takesAll: true }];
  if (isElsewhere.test(target)) return deeds;
  const keepsPath = isRsync && has(given, "R", "--relative");
  const named = sources.map((source) => {
    const path = source.replace(isElsewhere, "");
    if (keepsPath) return path.replace(/^.*\/\.\//s, "");
    return isRsync && path.endsWith("/") ? "." : entryOf(path);
  });
  const goes = keepsPath ? "into" : "either";
  deeds.push(copiedFiles({ sources: named, target, goes, replaces: isRsync, keepsPath }));
  const deletes = isRsync && given.some((arg) => /^--del(?:ete|$)/.test(arg));
  return deletes ? [...deeds, { action: "file.delete", paths: [target], takesAll: true }] : deeds;
}

/** A file of another machine, up to the name that it has there. */
const isElsewhere = /^[^/]*:/;
