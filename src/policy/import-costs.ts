import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { PolicyContext } from "./context.js";
import { mostSummed } from "./millionths.js";
import type { CostReport } from "./read-cost-reports.js";

const importScript = loadScript(import.meta.url, "import-costs.lua");

const pageReports = 200;
const dayMs = 86_400_000;

/** How many costs of reports became what. */
export interface ImportedCosts {
  readonly added: number;
  /** Known before, and so left out. */
  readonly known: number;
  /** Of those that were known, the ones that said another cost now: the first one stands. */
  readonly other: number;
  readonly old: number;
}

/**
 * Adds what was reported to the figures of the agents. The same report again, from this file or another, adds nothing.
 * Where it stops halfway, it is simply done again. Costs of days whose figures are not kept any more are left out.
 *
 * @throws {MailboxError} `budget.sum_too_large`, after which a part may have been added; `access.denied`, `store.*`
 */
export async function importCosts(
  context: PolicyContext,
  caller: Caller,
  given: readonly CostReport[],
): Promise<ImportedCosts> {
  const { row } = await context.deps.admit(caller, "admin.policy", "*");
  const oldest = context.deps.store.now() - context.limits.figuresMs;
  const reports = given.filter(({ day }) => (day + 1) * dayMs > oldest);
  let [added, known, other] = [0, 0, 0];
  for (let from = 0; from < Math.max(reports.length, 1); from += pageReports) {
    const [word, more, before, differing] = await context.run(caller.principal.namespace, importScript, [
      context.deps.store.attempt(),
      from === 0 ? row : "",
      ...reports
        .slice(from, from + pageReports)
        .flatMap(({ name, agent, day, millionths, manner }) => [name, agent, day, millionths, manner]),
    ]);
    if (word === "FULL") refuse("budget.sum_too_large", { agent: String(more), most: mostSummed });
    added += Number(more);
    known += Number(before);
    other += Number(differing);
  }
  return { added, known, other, old: given.length - reports.length };
}
