import { parseAddress } from "../addresses/index.js";
import type { House } from "../compose.js";
import type { Config } from "../config/index.js";
import * as mail from "../mailbox/index.js";
import { printJson, printLine, printTable } from "./print.js";
import { UsageError } from "./usage-error.js";
import { asOperator, lookInto, recordLook, type Switches, withHouse } from "./with-house.js";

interface QueueRow {
  readonly name: string;
  readonly ready: number;
  /** Claimed by a consumer and not settled. */
  readonly open: number;
  /** Given back, and due again later. */
  readonly delayed: number;
  readonly dead_letters: number;
  /** Agents that ever came for a job; a job goes to one of those that are online. */
  readonly consumers: readonly { readonly name: string; readonly online: boolean; readonly open: number }[];
}

/** Lists the queues with what waits in each and who works on it. */
export async function listQueues(switches: Switches): Promise<void> {
  const rows = await lookInto(switches, [], rowsOf);
  if (switches.json) printJson(rows);
  else if (rows.length === 0)
    printLine(
      "No queues yet: llm-mailbox queues create NAME, or the first message to queue:NAME, opens one.",
    );
  else
    printTable(rows, [
      { head: "QUEUE", cell: ({ name }) => `queue:${name}` },
      { head: "READY", cell: ({ ready }) => ready, right: true },
      { head: "OPEN", cell: ({ open }) => open, right: true },
      { head: "DELAYED", cell: ({ delayed }) => delayed, right: true },
      { head: "DEAD", cell: ({ dead_letters }) => dead_letters, right: true },
      { head: "CONSUMERS", cell: ({ consumers }) => consumersInWords(consumers) },
    ]);
}

/** Opens a queue before its first message, so that workers can wait for it and it shows in the lists. */
export async function createQueue(
  name: string,
  switches: Switches & { readonly claimSeconds?: number },
): Promise<void> {
  const address = parseAddress(name.includes(":") ? name : `queue:${name}`);
  if (address.kind !== "queue")
    throw new UsageError(`${name} is not the name of a queue; say queue:NAME, or NAME alone`);
  const created = await withHouse(switches, async (house, { namespace }) => {
    const { directory } = house;
    if ((await directory.queues(namespace)).has(address.name)) return false;
    const settings = switches.claimSeconds === undefined ? {} : { claimSeconds: switches.claimSeconds };
    await asOperator(house, "admin.mailboxes", `queue:${address.name}`, (_, admission) =>
      directory.createQueue(namespace, address.name, settings, admission),
    );
    return true;
  });
  if (switches.json) printJson({ name: address.name, created });
  else
    printLine(
      created ? `queue:${address.name} is open.` : `queue:${address.name} is there already; nothing changed.`,
    );
}

async function rowsOf(house: House, { namespace }: Config): Promise<QueueRow[]> {
  await recordLook(house, "admin.mailboxes", "*");
  const [queues, agents, online] = await Promise.all([
    house.directory.queues(namespace),
    house.directory.agents(namespace),
    house.runs.online(),
  ]);
  const consumers = await mail.queueConsumers(house.mail, namespace, [...agents.keys()]);
  return Promise.all(
    [...queues.keys()].sort().map(async (name): Promise<QueueRow> => {
      const counts = await mail.inspectMailbox(house.mail, namespace, `queue:${name}`);
      const openOf = (agent: string): number =>
        [...counts.openAt].reduce((sum, [run, open]) => sum + (run.startsWith(`${agent}/`) ? open : 0), 0);
      return {
        name,
        ready: counts.ready,
        open: counts.open,
        delayed: counts.delayed,
        dead_letters: counts.dead,
        consumers: [...(consumers.get(name) ?? [])]
          .sort()
          .map((agent) => ({ name: agent, online: online.has(agent), open: openOf(agent) })),
      };
    }),
  );
}

function consumersInWords(consumers: QueueRow["consumers"]): string {
  const here = consumers.filter(({ online }) => online);
  if (consumers.length === 0) return "nobody has come for a job yet";
  if (here.length === 0) return `none online (${consumers.map(({ name }) => name).join(", ")})`;
  return here.map(({ name, open }) => (open > 0 ? `${name} (${open} open)` : name)).join(", ");
}
