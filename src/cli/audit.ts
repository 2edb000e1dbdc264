import { join } from "node:path";
import {
  type AuditQuery,
  exportAudit,
  type FoundEvent,
  publicKeyOf,
  queryAudit,
  readCheckpointFile,
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

/** Says whether every sealed row is as it was sealed; where one is not, which is the first. */
export async function verifyAudit(switches: Switches & { readonly checkpoints?: string }): Promise<void> {
  const nothing: Verified = { first: 0, last: 0, checkpoints: 0, unsigned: 0 };
  const found = await lookInto(switches, nothing, async (house, config) => {
    await look(house);
    return verifyChain(house.store, config.namespace, evidenceOf(config, switches.checkpoints));
  });
  const { problem } = found;
  if (switches.json) printJson({ ok: problem === undefined, ...found });
  if (problem) {
    if (!switches.json)
      throw new NotThere(`the audit does not verify from row ${problem.number} on: ${problem.what}`);
    endWith(1);
    return;
  }
  if (switches.json) return;
  if (found.last === 0) return printLine("No audit row is sealed yet.");
  const signed = `${plural(found.checkpoints, "checkpoint")} compared`;
  const rest = found.unsigned > 0 ? `; ${plural(found.unsigned, "row")} at the end not signed for yet` : "";
  printLine(`Rows ${found.first} to ${found.last} are what was sealed (${signed}${rest}).`);
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
