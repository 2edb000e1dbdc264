import { readFileSync, statSync } from "node:fs";
import { readConfig } from "../config/index.js";
import {
  budgetsOf,
  type Figures,
  importCosts,
  type LimitState,
  listBudgets,
  listFigures,
  readCostReports,
} from "../policy/index.js";
import { plural, printJson, printLine, printTable } from "./print.js";
import { endWith, fromFolder, terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import {
  asOperator,
  lookInto,
  onlookerOf,
  operator,
  type Switches,
  settingsOf,
  withHouse,
} from "./with-house.js";

const mostFileBytes = 256 * 1024 * 1024;

/** Lists limits that somebody has taken from, or with --agent all that concern it. */
export async function listAllBudgets(switches: Switches): Promise<void> {
  const { agent } = readConfig(terminal().env, settingsOf(switches));
  const nothing: readonly LimitState[] = [];
  const limits = await lookInto(switches, nothing, (house, config) =>
    agent === undefined
      ? listBudgets(house.policy, operator(config))
      : asOperator(house, "admin.policy", "*", async (caller, admission) => {
          await house.recorder.record(caller, admission);
          return budgetsOf(house.policy, onlookerOf(config, agent));
        }),
  );
  if (switches.json) return printJson({ limits });
  if (limits.length === 0)
    return printLine(
      agent === undefined
        ? "Nothing was taken from a limit in a window that still runs."
        : `No limit concerns ${agent}.`,
    );
  printTable(limits, [
    { head: "LIMIT", cell: ({ id }) => id },
    { head: "WHOSE", cell: ({ subject }) => subject },
    { head: "OF", cell: ({ of }) => of },
    { head: "USED", cell: ({ used }) => used, right: true },
    { head: "HELD", cell: ({ held }) => held, right: true },
    { head: "LEFT", cell: ({ left }) => left, right: true },
    { head: "MOST", cell: ({ most }) => most, right: true },
    { head: "UNTIL", cell: ({ window_ends_at }) => window_ends_at },
  ]);
}

/** Compares the figures of each agent on a day; ends with status 1 when some are off, so that a job notices. */
export async function showFigures(switches: Switches & { readonly day?: string }): Promise<void> {
  const { day: given } = switches;
  if (given !== undefined && !(/^\d{4}-\d{2}-\d{2}$/.test(given) && Number.isFinite(Date.parse(given))))
    throw new UsageError("--day is a day such as 2026-11-25");
  const nothing = { day: given ?? "", agents: [] as readonly Figures[] };
  const { day, agents } = await lookInto(switches, nothing, (house, config) =>
    listFigures(house.policy, operator(config), given),
  );
  if (agents.some(({ off }) => off.length > 0)) endWith(1);
  if (switches.json) return printJson({ day, agents });
  if (agents.length === 0) return printLine("No agent has figures on that day.");
  printTable(agents, [
    { head: "AGENT", cell: ({ agent }) => agent },
    { head: "ESTIMATED", cell: ({ estimated }) => estimated, right: true },
    { head: "SETTLED", cell: ({ settled }) => settled, right: true },
    { head: "REPORTED", cell: ({ reported }) => reported ?? "", right: true },
    { head: "OFF", cell: ({ off }) => off.join("; ") },
  ]);
}

/** Adds what an independent source reports to the figures; the same file again adds nothing. */
export async function importReports(file: string, switches: Switches): Promise<void> {
  const { agent } = readConfig(terminal().env, settingsOf(switches));
  const { reports, unnamed } = readCostReports(textOf(file), agent);
  const { added, known, other, old } = await withHouse(switches, (house, config) =>
    importCosts(house.policy, operator(config), reports),
  );
  if (switches.json) return printJson({ added, known, other, old, unnamed });
  const differing =
    other > 0 ? ` (${other} with another cost, which was left out: the first one stands)` : "";
  printLine(
    `${plural(added, "cost")} added${known > 0 ? `, ${known} known before${differing}` : ""}${old > 0 ? `, ${old} too old to be kept` : ""}${
      unnamed > 0 ? `; ${unnamed} without an agent left out: --agent says whose they are` : ""
    }.`,
  );
}

function textOf(file: string): string {
  try {
    if (statSync(fromFolder(file)).size > mostFileBytes)
      throw new UsageError(`the file has more than ${mostFileBytes} bytes; import it in parts`);
    return readFileSync(fromFolder(file), "utf8");
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`the file cannot be read: ${(error as NodeJS.ErrnoException).code ?? "unknown"}`);
  }
}
