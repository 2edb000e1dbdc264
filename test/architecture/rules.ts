import { posix } from "node:path";
import { type House, withoutComments } from "./house.js";
import { homes, plan, roomOf, sharedWords } from "./plan.js";

/** What a rule found: on how many things it looked, and which of them break it, each as one line. */
export interface Finding {
  readonly looked: number;
  readonly broken: readonly string[];
}

export type Rule = (house: House) => Finding;

const drawers = new Set([
  "utils",
  "util",
  "helpers",
  "helper",
  "common",
  "shared",
  "types",
  "constants",
  "internal",
  "misc",
  "lib",
  "managers",
  "manager",
]);

/** The rules of the house, each named by the sentence that it holds the code to. */
export const rules: Readonly<Record<string, Rule>> = {
  "every import leads somewhere": ({ imports }) => ({
    looked: imports.length,
    broken: imports
      .filter(({ kind }) => kind === "unresolved")
      .map(({ from, to }) => `${from} imports ${to}, which is not there`),
  }),

  "a room comes only into the rooms its place in the plan allows": (house) => {
    const crossings = crossingsOf(house);
    return {
      looked: crossings.length,
      broken: crossings.flatMap(({ from, to, typeOnly }) => {
        const [room, other] = [roomOf(from), roomOf(to)];
        if (!plan[room]) return [`${from} is in a room the plan does not know: ${room}`];
        if (plan[room].includes(other)) return [];
        const words = sharedWords.some(([a, b]) => a === room && b === other);
        if (words && typeOnly) return [];
        return [`${from} imports ${to}: ${room} may not know ${other}${words ? " but for its types" : ""}`];
      }),
    };
  },

  "another room is entered by its door": (house) => {
    const crossings = crossingsOf(house).filter(({ to }) => roomOf(to) !== posix.basename(to));
    return {
      looked: crossings.length,
      broken: crossings
        .filter(({ to }) => to !== `src/${roomOf(to)}/index.ts`)
        .map(({ from, to }) => `${from} imports ${to} past the door src/${roomOf(to)}/index.ts`),
    };
  },

  "a driver is known to the room it belongs to and to no other": ({ imports }) => {
    const packages = imports.filter(({ kind }) => kind === "package");
    return {
      looked: packages.length,
      broken: packages.flatMap(({ from, to }) => {
        const rooms = homes[to];
        if (!rooms) return [`${from} imports ${to}, which has no room in the plan`];
        return rooms.includes(roomOf(from))
          ? []
          : [`${from} imports ${to}, which belongs to ${rooms.join(", ")}`];
      }),
    };
  },

  "no imports go in a circle": ({ imports, modules }) => {
    const next = new Map<string, string[]>();
    for (const { from, to, kind } of imports)
      if (kind === "file") next.set(from, [...(next.get(from) ?? []), to]);
    return { looked: modules.size, broken: circles([...modules], (path) => next.get(path) ?? []) };
  },

  "a room's door opens with one sentence that says what lives there": ({ files, modules }) => {
    const doors = [...modules].filter((path) => /^src\/.+\/index\.ts$/.test(path));
    const doorless = [...new Set([...modules].map((path) => path.split("/")))]
      .filter((parts) => parts.length > 2)
      .map((parts) => parts[1]!)
      .filter((room, n, all) => all.indexOf(room) === n && !modules.has(`src/${room}/index.ts`));
    return {
      looked: doors.length,
      broken: [
        ...doorless.map((room) => `src/${room} has no door index.ts`),
        ...doors
          .filter((path) => doorSentence(files.get(path)!) === undefined)
          .map((path) => `${path} does not open with one sentence`),
      ],
    };
  },

  "nothing is kept in a drawer": ({ files }) => ({
    looked: files.size,
    broken: [...files.keys()]
      .filter((path) => path.split("/").some((part) => drawers.has(part.replace(/\..*$/, ""))))
      .map((path) => `${path} is a drawer: name it for what it is`),
  }),

  "file and folder names are kebab-case": ({ files }) => ({
    looked: files.size,
    broken: [...files.keys()].filter(
      (path) => !path.split("/").every((part) => /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/.test(part)),
    ),
  }),

  "nobody writes to the console": ({ files, modules }) => ({
    looked: modules.size,
    broken: [...modules].filter((path) => /\bconsole\b/.test(code(files.get(path)!))),
  }),

  "standard output belongs to the command line and to the stdio transport": ({ files, modules }) => {
    const writers = [...modules].filter((path) => /\bstdout\b/.test(code(files.get(path)!)));
    const writes =
      /process\s*(?:\.|\[\s*["'`])\s*stdout\b|\{[^}]*\bstdout\b[^}]*\}\s*(?:=\s*process\b|from\s*["'](?:node:)?process["'])/;
    return {
      looked: writers.length,
      broken: writers.filter(
        (path) =>
          !path.startsWith("src/cli/") &&
          path !== "src/mcp/stdio.ts" &&
          writes.test(withoutComments(files.get(path)!)),
      ),
    };
  },

  "of its process a command knows only what its terminal shows it": ({ files, modules }) => {
    const commands = [...modules].filter((path) => path.startsWith("src/cli/"));
    return {
      looked: commands.length,
      broken: commands.filter(
        (path) =>
          !["src/cli/terminal.ts", "src/cli/run-process.ts"].includes(path) &&
          /\bprocess\s*\.\s*(?:argv|cwd|env|exit|exitCode|stdin|stdout|stderr)\b/.test(
            withoutComments(files.get(path)!),
          ),
      ),
    };
  },

  "key names are built in one place": ({ files, modules }) => {
    const builders = [...modules].filter((path) =>
      /`[^`]*\{\$\{[^`]*:/.test(withoutComments(files.get(path)!)),
    );
    return { looked: builders.length, broken: builders.filter((path) => path !== "src/redis/keys.ts") };
  },

  "every export has a name of its own": ({ files, modules }) => ({
    looked: modules.size,
    broken: [...modules].filter((path) =>
      /\bexport\s+default\b|\bas\s+default\b/.test(code(files.get(path)!)),
    ),
  }),
};

/** The sentence a door opens with, or undefined when it opens otherwise. */
export function doorSentence(text: string): string | undefined {
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(text)?.[1];
  const sentence = comment
    ?.replace(/^\s*\*/gm, "")
    .replace(/\s+/g, " ")
    .trim();
  if (!sentence || sentence.length < 20 || !/^[A-Z].*\.$/.test(sentence)) return undefined;
  return /[.!?] [A-Z]/.test(sentence) ? undefined : sentence;
}

function crossingsOf({ imports }: House): House["imports"] {
  return imports.filter(({ from, to, kind }) => kind === "file" && roomOf(from) !== roomOf(to));
}

/** Code without comments and without the contents of plain strings. */
function code(text: string): string {
  return withoutComments(text).replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');
}

/** Circles of a graph, each told once, by depth-first search. */
function circles(nodes: readonly string[], next: (node: string) => readonly string[]): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const found: string[] = [];
  const visit = (node: string): void => {
    const at = path.indexOf(node);
    if (at >= 0) {
      found.push([...path.slice(at), node].join(" → "));
      return;
    }
    if (done.has(node)) return;
    path.push(node);
    for (const other of next(node)) visit(other);
    path.pop();
    done.add(node);
  };
  for (const node of nodes) visit(node);
  return found;
}
