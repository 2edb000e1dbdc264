import type { House } from "../compose.js";
import type { Config } from "../config/index.js";
import { noFacts } from "../identity/index.js";
import * as mail from "../mailbox/index.js";
import { ago, onOneLine, plural, printJson, printLine, printTable } from "./print.js";
import { lookInto, onlookerOf, recordLook, type Switches } from "./with-house.js";

interface AgentRow {
  readonly name: string;
  readonly online: boolean;
  /** ISO time; null for a name that was written to and that nobody has claimed. */
  readonly last_seen: string | null;
  readonly unread: number;
  readonly urgent: number;
  readonly open: number;
  readonly dead_letters: number;
  readonly description: string | null;
  readonly capabilities: readonly string[];
  readonly role: string | null;
  readonly team: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly stopped: boolean;
}

const askedAtOnce = 16;

/** Lists who has ever been here, who is here now, and what waits for each. */
export async function agents(switches: Switches): Promise<void> {
  const { rows, now } = await lookInto(switches, { rows: [] as AgentRow[], now: Date.now() }, listAgents);
  if (switches.json) printJson(rows);
  else if (rows.length === 0) printLine("No agents yet: the first appears with its first call.");
  else printAgents(rows, now);
}

async function listAgents(house: House, config: Config): Promise<{ rows: AgentRow[]; now: number }> {
  const { namespace } = config;
  await recordLook(house, "agents.find", "*");
  const [known, unclaimed, online, rules] = await Promise.all([
    house.directory.agents(namespace),
    house.directory.unclaimed(namespace),
    house.runs.online(),
    house.access.rules(namespace),
  ]);
  // One that was stopped or recorded before it ever came is shown too.
  const names = [
    ...new Set([...known.keys(), ...unclaimed.keys(), ...rules.facts.keys(), ...rules.stopped.keys()]),
  ];
  const rows: AgentRow[] = [];
  for (let n = 0; n < names.length; n += askedAtOnce)
    rows.push(
      ...(await Promise.all(
        names.slice(n, n + askedAtOnce).map(async (name): Promise<AgentRow> => {
          const about = known.get(name);
          const { role, team, labels } = rules.facts.get(name) ?? noFacts;
          const counts = await mail.unreadMail(house.mail, onlookerOf(config, name));
          return {
            name,
            online: online.has(name),
            last_seen: about ? new Date(about.lastSeenAt).toISOString() : null,
            unread: counts.unread,
            urgent: counts.urgent,
            open: counts.open,
            dead_letters: counts.dead,
            description: about?.description ?? null,
            capabilities: about?.capabilities ?? [],
            role: role || null,
            team: team || null,
            labels,
            stopped: rules.stopped.has(name),
          };
        }),
      )),
    );
  rows.sort(
    (a, b) =>
      Number(b.online) - Number(a.online) ||
      (b.last_seen ?? "").localeCompare(a.last_seen ?? "") ||
      a.name.localeCompare(b.name),
  );
  return { rows, now: house.store.now() };
}

function seen({ online, last_seen, stopped }: AgentRow, now: number): string {
  if (stopped) return "stopped";
  if (online) return "online";
  return last_seen ? `last call ${ago(Date.parse(last_seen), now)}` : "never";
}

function printAgents(rows: readonly AgentRow[], now: number): void {
  printTable(rows, [
    { head: "AGENT", cell: ({ name }) => name },
    {
      head: "SEEN",
      cell: (row) => seen(row, now),
    },
    {
      head: "UNREAD",
      cell: ({ unread, urgent }) => (urgent > 0 ? `${unread} (${urgent} urgent)` : unread),
      right: true,
    },
    { head: "OPEN", cell: ({ open }) => open, right: true },
    { head: "DEAD", cell: ({ dead_letters }) => dead_letters, right: true },
    ...(rows.some(({ role, team }) => role ?? team)
      ? [
          { head: "ROLE", cell: ({ role }: AgentRow) => role ?? "" },
          { head: "TEAM", cell: ({ team }: AgentRow) => team ?? "" },
        ]
      : []),
    {
      head: "ABOUT",
      cell: ({ description, capabilities }) =>
        onOneLine([description ?? "", capabilities.join(", ")].filter(Boolean).join(" · "), 60),
    },
  ]);
  const waiting = rows.filter(({ last_seen, unread }) => last_seen === null && unread > 0);
  if (waiting.length > 0)
    printLine(
      `\n${plural(waiting.length, "name")} nobody has claimed ${waiting.length === 1 ? "has" : "have"} unread mail: a misspelt name, or an agent that has not started yet.`,
    );
}
