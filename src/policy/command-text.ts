import type { ClientAction } from "./client-actions.js";
import { filesOfPatch } from "./patch-steps.js";
import type { PatchedFiles } from "./patched-files.js";
import type { Reading } from "./reading.js";
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
  /** What it may cost, together with all that stands in it or around it. */
  readonly reading: Reading;
  readonly #text: string;
  #files: PatchedFiles | undefined;
  #sqlSteps: readonly ToolStep[] | undefined;

  constructor(text: string, reading: Reading) {
    this.#text = text;
    this.reading = reading;
  }

  /** The files that a patch in it names. */
  get files(): PatchedFiles {
    this.#files ??= filesOfPatch(this.#text, this.reading);
    return this.#files;
  }

  /** What a database is told in it that loses data. */
  get sqlSteps(): readonly ToolStep[] {
    this.#sqlSteps ??= sqlSteps(this.#text, this.reading);
    return this.#sqlSteps;
  }
}

function sqlSteps(text: string, reading: Reading): readonly ToolStep[] {
  reading.lookThrough(text, 2);
  const actions: readonly ClientAction[] = [
    ...(/\bdrop\s+(?:table|database|schema|view|index|keyspace)\b/i.test(text) ? ["db.drop" as const] : []),
    ...(/\b(?:truncate\s+[\\"'`[]*\w|delete\s+from\b)/i.test(text) ? ["db.delete" as const] : []),
  ];
  return actions.map((action) => ({ action, resource: "" }));
}
