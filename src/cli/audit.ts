import { join } from "node:path";
import {
  type AuditQuery,
  exportAudit,
  type FoundEvent,
  publicKeyOf,
  queryAudit,
  readCheckpointFile,
  type Unsealed,
  unsealedRows,
  type Verified,
  verifyChain,
} from "../audit/index.js";
import type { House } from "../compose.js";
import type { Config } from "../config/index.js";
import { NotThere } from "./not-there.js";
import { plural, printJson, printLine, printTable } from "./print.js";
import { endWith, fromFolder } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { asOperator, lookInto, type Switches, withHouse } from "./with-house.js";

interface Found {
  readonly sealed: Verified;
  readonly unsealed: Omit<Unsealed, "ended">;
}

/** Says whether every sealed row is as it was sealed; where one is not, which is the first. And what is not sealed yet. */
export async function verifyAudit(switches: Switches & { readonly checkpoints?: string }): Promise<void> {
  const nothing: Found = {
    sealed: { first: 0, last: 0, checkpoints: 0, unsigned: 0 },
    unsealed: { rows: [], unreadable: [] },
  };
  const { sealed, unsealed } = await lookInto(switches, nothing, async (house, config) => {
    await look(house);
    const { store, places } = house;
    const { namespace } = config;
    const known = evidenceOf(config, switches.checkpoints);
    return {
      sealed: await verifyChain(store, namespace, known),
      unsealed: await unsealedRows(store, places, namespace),
    };
  });
  const { rows, unreadable } = unsealed;
  const since = rows[0] && new Date(rows[0].number / 1000).toISOString();
  const problem = sealed.problem
    ? `the audit does not verify from row ${sealed.problem.number} on: ${sealed.problem.what}`
    : unreadable.length > 0
      ? `what was recorded in ${unreadable.join(", ")} and not sealed yet cannot be read`
      : undefined;
  if (switches.json) {
    const waiting = { waiting: rows.length, ...(since && { waiting_since: since }), unreadable };
    printJson({ ok: problem === undefined, ...sealed, ...waiting });
    if (problem) endWith(1);
    return;
  }
  if (problem) throw new NotThere(problem);
  const { first, last, checkpoints, unsigned } = sealed;
  const signed = `${plural(checkpoints, "checkpoint")} compared`;
  const rest = unsigned > 0 ? `; ${plural(unsigned, "row")} at the end not signed for yet` : "";
  printLine(
    last === 0
      ? "No audit row is sealed yet."
      : `Rows ${first} to ${last} are what was sealed (${signed}${rest}).`,
  );
  if (since) printLine(`${plural(rows.length, "row")} not sealed yet, since ${since}: nothing proves those.`);
}

/** Lists decisions, newest first, those that are not sealed yet too. */
export async function queryAuditLog(
  switches: Switches & {
    readonly action?: string;
    readonly resource?: string;
    readonly outcome?: string;
    readonly since?: string;
    readonly until?: string;
    readonly limit: number;
  },
): Promise<void> {
  // Whoever is asked about need not be an agent: the operator is not.
  const { agent, ...others } = switches;
  const { action, resource, outcome, since, until, limit } = switches;
  const query: AuditQuery = {
    ...(agent === undefined ? {} : { agent }),
    ...(action === undefined ? {} : { action }),
    ...(resource === undefined ? {} : { resource }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(since === undefined ? {} : { since: instant("--since", since) }),
    ...(until === undefined ? {} : { until: instant("--until", until) }),
  };
  const found = await lookInto(others, [] as FoundEvent[], async (house, config) => {
    await look(house);
    const events: FoundEvent[] = [];
    for await (const event of queryAudit(house.store, house.places, config.namespace, query)) {
      events.push(event);
      if (events.length === limit) break;
    }
    return events;
  });
  if (switches.json) return printJson(found.map(asJson));
  if (found.length === 0) return printLine("Nothing recorded that fits.");
  printTable(found, [
    { head: "ROW", cell: ({ number }) => number ?? "not sealed", right: true },
    { head: "WHEN", cell: ({ at }) => new Date(at).toISOString() },
    { head: "WHO", cell: ({ agent: who }) => who || "(nobody)" },
    { head: "BY", cell: ({ by }) => by },
    { head: "ACTION", cell: (event) => event.action },
    { head: "RESOURCE", cell: (event) => event.resource },
    { head: "OUTCOME", cell: (event) => event.outcome },
    { head: "WHY", cell: ({ because }) => because },
  ]);
}

/** Writes every sealed row as a line of JSON, oldest first, with what it takes to link them again elsewhere. */
export async function exportAuditLog(switches: Switches): Promise<void> {
  await withHouse(switches, async (house, config) => {
    await look(house);
    for await (const row of exportAudit(house.store, config.namespace)) printJson(row, 0);
  });
}

/** Looking into the audit is recorded there too. */
async function look(house: House): Promise<void> {
  await asOperator(house, "admin.audit", "*", (caller, admission) =>
    house.recorder.record(caller, admission),
  );
}

/** What is known outside the store: our own key and copies, and those of the file that was named. */
function evidenceOf(config: Config, file: string | undefined): Parameters<typeof verifyChain>[2] {
  const folder = join(config.dataDir, "audit");
  const own = publicKeyOf(config.auditKeyFile ?? join(folder, "key.pem"));
  const kept = readCheckpointFile(join(folder, `${config.namespace}.checkpoints`));
  const given = file === undefined ? { keys: [], checkpoints: [] } : readCheckpointFile(fromFolder(file));
  if (file !== undefined && given.checkpoints.length === 0)
    throw new NotThere(`there is no checkpoint in ${file}`);
  return {
    keys: [...(own ? [own] : []), ...kept.keys, ...given.keys],
    checkpoints: [...kept.checkpoints, ...given.checkpoints],
  };
}

function instant(option: string, given: string): number {
  const time = Date.parse(given);
  if (Number.isNaN(time)) throw new UsageError(`${option} is no ISO time such as 2026-11-20T08:00:00Z`);
  return time;
}

function asJson({ number, at, id, agent, run, by, action, resource, outcome, because }: FoundEvent): object {
  return {
    ...(number === undefined ? {} : { number }),
    sealed: number !== undefined,
    at: new Date(at).toISOString(),
    id,
    agent,
    run,
    by,
    action,
    resource,
    outcome,
    because,
  };
}
