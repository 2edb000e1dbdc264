import type { ClientAction } from "./client-actions.js";
import { has, operandsOf, options, takesNext } from "./command-options.js";
import { stepsOfDeeds } from "./file-deed.js";
import { type Places, stepsOn } from "./places.js";
import { unknownPart } from "./shell-words.js";
import type { ToolStep } from "./tool-step.js";
import { writtenFiles } from "./written-files.js";

const valued = ["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env", "--attr-source"];

/** Long options that take no value from the next word. Of any other it is not certain. */
const plain = options("dry-run force force-with-lease delete prune mirror all tags quiet verbose");
const pushValued = ["-o", "--push-option", "--receive-pack", "--exec", "--repo"];

/**
 * Whether nothing is done for certain: said by an option that is whole, that nothing takes back, and that is told by the
 * reader from values and from what only stands there when the command runs.
 */
function isDry(given: readonly string[] | undefined): boolean {
  return given?.some((one) => one === "--dry-run" || /^-[a-df-np-zA-Z]*n[a-df-np-zA-Z]*$/.test(one)) === true;
}

/** Options alone, where each is certain to be one; undefined where something may take them back or cannot be read. */
function optionsOf(args: readonly string[], valued: readonly string[]): readonly string[] | undefined {
  const end = args.indexOf("--");
  const found: string[] = [];
  for (let at = 0; at < (end < 0 ? args.length : end); at++) {
    const arg = args[at]!;
    if (arg.includes(unknownPart) || arg.startsWith("--no-")) return undefined;
    if (!arg.startsWith("-")) continue;
    if (arg.startsWith("--") && !plain.includes(arg) && !valued.includes(arg.split("=", 1)[0]!))
      return undefined;
    found.push(arg);
    if (takesNext(arg, valued)) at += 1;
  }
  return found;
}

/** What a command of git does to files, branches and others. */
export function gitSteps(given: readonly string[], from: Places): ToolStep[] {
  const folders: string[] = [];
  let at = 0;
  while (given[at]?.startsWith("-")) {
    if (given[at] === "-C") folders.push(given[at + 1] ?? "");
    at += valued.includes(given[at]!) ? 2 : 1;
  }
  const places = from.in(folders);
  const [verb, ...args] = given.slice(at);
  const operands = operandsOf(args);
  // What begins with a colon says from where it is told, or what it is not.
  const paths = operandsOf(args, verb === "clean" ? ["-e", "--exclude"] : []).map((path) =>
    path.startsWith(":") ? unknownPart : path,
  );
  const whole = (action: ClientAction): ToolStep[] => [{ action, resource: "" }];
  switch (verb) {
    case "push": {
      if (isDry(optionsOf(args, pushValued))) return whole("git.push");
      // The first of them may be the remote, whose name begins with neither.
      const forces =
        has(args, "f", "--force", "--force-with-lease", "--mirror") ||
        operands.some((ref) => ref.startsWith("+"));
      const deletes = has(args, "d", "--delete", "--prune") || operands.some((ref) => /^\+?:./.test(ref));
      return [
        { action: "git.push", resource: "" },
        ...(forces ? whole("git.push_force") : []),
        ...(deletes ? whole("branch.delete") : []),
      ];
    }
    case "commit":
      return whole("git.commit");
    case "reset":
      return has(args, "", "--hard") ? whole("git.reset_hard") : [];
    case "clean":
      // What `-e` takes may begin as an option does.
      if (isDry(optionsOf(args, ["-e", "--exclude"]))) return [];
      return has(args, "f", "--force")
        ? stepsOn("file.delete", paths.length > 0 ? paths : ["."], places, { takesAll: true })
        : [];
    case "mv":
      return stepsOfDeeds(writtenFiles("mv", args, places.reading), places);
    case "rm":
      // The files stay where they are.
      if (has(args, "n", "--cached", "--dry-run") && !args.some((arg) => arg.startsWith("--no-"))) return [];
      return stepsOn(has(args, "r") ? "directory.delete" : "file.delete", paths, places);
    case "branch":
      return has(args, "dD", "--delete") ? whole("branch.delete") : [];
    default:
      return [];
  }
}
