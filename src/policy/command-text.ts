import type { ClientAction } from "./client-actions.js";
import { filesOfPatch } from "./patch-steps.js";
import type { PatchedFiles } from "./patched-files.js";
import type { ToolStep } from "./tool-step.js";

/** Programs that are told what a database is to do, wherever in their text. */
export const databases: ReadonlySet<string> = new Set([
  "psql",
  "mysql",
  "mariadb",
  "sqlite3",
  "sqlcmd",
  "duckdb",
  "clickhouse-client",
  "cqlsh",
]);

/** A text of commands, and what may stand anywhere in it: read when it is first asked for, and once. */
export class CommandText {
  readonly #text: string;
  #files: PatchedFiles | undefined;
  #sqlSteps: readonly ToolStep[] | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** The files that a patch in it names. */
  get files(): PatchedFiles {
    this.#files ??= filesOfPatch(this.#text);
    return this.#files;
  }

  /** What a database is told in it that loses data. */
  get sqlSteps(): readonly ToolStep[] {
    this.#sqlSteps ??= sqlSteps(this.#text);
    return this.#sqlSteps;
  }
}

function sqlSteps(text: string): readonly ToolStep[] {
  const actions: readonly ClientAction[] = [
    ...(/\bdrop\s+(?:table|database|schema|view|index|keyspace)\b/i.test(text) ? ["db.drop" as const] : []),
    ...(/\b(?:truncate\s+[\\"'`[]*\w|delete\s+from\b)/i.test(text) ? ["db.delete" as const] : []),
  ];
  return actions.map((action) => ({ action, resource: "" }));
}
