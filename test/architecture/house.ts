import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, posix } from "node:path";
import { cruise, type ICruiseResult } from "dependency-cruiser";

/** One import as it is written and where it leads; for a package, `to` is its name. */
export interface Import {
  readonly from: string;
  readonly to: string;
  readonly kind: "file" | "package" | "builtin" | "unresolved";
  /** True when nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

/** A source tree: its files with their texts, and every import between them. Paths are relative, with `/`. */
export interface House {
  readonly files: ReadonlyMap<string, string>;
  readonly modules: ReadonlySet<string>;
  readonly imports: readonly Import[];
}

/**
 * Reads `<root>/src` and resolves every import in it, type-only and dynamic ones and `import("…")` types included.
 *
 * @throws when the resolver saw another set of TypeScript files than the directory holds
 */
export async function readHouse(root: string): Promise<House> {
  const files = new Map<string, string>();
  for (const path of walk(join(root, "src"), "src")) files.set(path, readFileSync(join(root, path), "utf8"));
  const sources = [...files.keys()].filter((path) => path.endsWith(".ts"));
  if (sources.length === 0) throw new Error(`there is nothing in ${root}/src`);
  const { output } = await cruise(["src"], {
    baseDir: root,
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
  });
  const seen = (output as ICruiseResult).modules.filter(({ source }) => files.has(source));
  const missed = sources.filter((path) => !seen.some(({ source }) => source === path));
  if (missed.length > 0) throw new Error(`the resolver did not see ${missed.join(", ")}`);

  const imports: Import[] = [];
  for (const module of seen) {
    const text = withoutComments(files.get(module.source)!);
    const found = new Set<string>();
    for (const { module: asked, resolved, couldNotResolve, coreModule } of module.dependencies) {
      found.add(asked);
      const typeOnly = isTypeOnly(text, asked);
      const from = module.source;
      if (coreModule) imports.push({ from, to: `node:${asked}`, kind: "builtin", typeOnly });
      else if (!asked.startsWith("."))
        imports.push({ from, to: packageOf(asked), kind: "package", typeOnly });
      else if (couldNotResolve || !files.has(resolved))
        imports.push({ from, to: asked, kind: "unresolved", typeOnly });
      else imports.push({ from, to: resolved, kind: "file", typeOnly });
    }
    // `import("./x.js").X` as a type is invisible to the resolver.
    for (const [, , asked] of text.matchAll(/\bimport\(\s*(["'`])(\.[^"'`]+)\1/g)) {
      if (found.has(asked!)) continue;
      const to = posix.join(dirname(module.source), asked!).replace(/\.js$/, ".ts");
      imports.push({
        from: module.source,
        to,
        kind: files.has(to) ? "file" : "unresolved",
        typeOnly: true,
      });
    }
  }
  return { files, modules: new Set(sources), imports };
}

/** The text without comments, so that a rule about code does not read prose. Strings stay. */
export function withoutComments(text: string): string {
  return text.replace(
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|(^|[^:\\])\/\/.*$/gm,
    (_, string: string | undefined, before: string | undefined) => string ?? before ?? "",
  );
}

function isTypeOnly(text: string, asked: string): boolean {
  const quoted = asked.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const statements = [
    ...text.matchAll(new RegExp(`(?:import|export)\\b[^;"']*["'](?:node:)?${quoted}["']`, "g")),
  ];
  return (
    statements.length > 0 &&
    statements.every(([statement]) => {
      if (/^(?:import|export)\s+type\b/.test(statement)) return true;
      const names = /\{([^}]*)\}/.exec(statement)?.[1];
      if (names === undefined || /^\s*(?:import|export)\s+[\w$*]/.test(statement)) return false;
      return names
        .split(",")
        .filter((name) => name.trim() !== "")
        .every((name) => name.trim().startsWith("type "));
    })
  );
}

function packageOf(asked: string): string {
  const [scope, name] = asked.split("/");
  return asked.startsWith("@") ? `${scope}/${name}` : scope!;
}

function walk(directory: string, as: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory()
        ? walk(join(directory, entry.name), `${as}/${entry.name}`)
        : [`${as}/${entry.name}`],
    )
    .sort();
}

/** Whether the parser that understands this house's TypeScript is installed; without it nothing would be seen. */
export function hasParser(): boolean {
  try {
    createRequire(import.meta.url).resolve("@swc/core");
    return true;
  } catch {
    return false;
  }
}
