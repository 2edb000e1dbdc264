import { type DecisionRecord, newestDecisions, saidWithout, saidWithShadow } from "../policy/index.js";
import { printJson, printLine, printTable } from "./print.js";
import { asOperator, lookInto, type Switches } from "./with-house.js";

/** People look at so many; programs get all. */
const shownMost = 50;

export interface DecisionSwitches extends Switches {
  /** How long ago, ms. */
  readonly since?: number;
  readonly action?: string;
  /** Only those that rules and limits that are only tried out would have made otherwise. */
  readonly shadow?: boolean;
}

/** Lists what was decided, newest first, with what rules that are only tried out would have said. */
export async function listDecisions(switches: DecisionSwitches): Promise<void> {
  // Whoever is asked about is not who looks.
  const { agent, ...others } = switches;
  const action = switches.action?.toLowerCase();
  const fits = (record: DecisionRecord): boolean =>
    (agent === undefined || record.agent.name === agent) &&
    (action === undefined || record.action.toLowerCase() === action) &&
    (!switches.shadow || wouldChange(record));
  const found = await lookInto(others, [] as DecisionRecord[], (house) =>
    asOperator(house, "admin.policy", "*", async (caller, admission) => {
      await house.recorder.record(caller, admission);
      const since = switches.since === undefined ? 0 : house.store.now() - switches.since;
      const records: DecisionRecord[] = [];
      for await (const record of newestDecisions(house.store, caller.principal.namespace)) {
        if (record && record.at < since) break;
        if (record && fits(record)) records.push(record);
        if (!switches.json && records.length > shownMost) break;
      }
      return records;
    }),
  );
  if (switches.json) return printJson(found.map(asJson));
  if (found.length === 0)
    return printLine(
      "Nothing was decided that fits. Of our own tools (mail, topics, locks, state) only what was not simply allowed is recorded.",
    );
  printTable(found.slice(0, shownMost), [
    { head: "WHEN", cell: ({ at }) => new Date(at).toISOString() },
    { head: "AGENT", cell: ({ agent: { name } }) => name },
    { head: "ACTION", cell: (record) => record.action },
    { head: "RESOURCE", cell: ({ resource }) => resource },
    { head: "WAS", cell: was },
    {
      head: "BY",
      cell: ({ rules, limits, approval }) => [...rules, ...limits, approval ?? []].flat().join(", "),
    },
    { head: "WITH SHADOW", cell: (record) => (wouldChange(record) ? saidWithShadow(record) : "the same") },
    { head: "SHADOW RULES", cell: tried },
  ]);
  if (found.length > shownMost) printLine(`\nThese are the newest ${shownMost}: --json tells all.`);
}

/** What came out, and of a step of a call of several what became of the call, where that is another. */
function was({ effect, call }: DecisionRecord): string {
  return call === undefined || call.effect === effect ? effect : `${effect}, its call ${call.effect}`;
}

function wouldChange(record: DecisionRecord): boolean {
  return saidWithShadow(record) !== saidWithout(record);
}

function tried({ shadow = [], shadowLimits = [] }: DecisionRecord): string {
  return [...shadow, ...shadowLimits].map(({ id, effect }) => `${id}: ${effect}`).join(", ");
}

function asJson(record: DecisionRecord): object {
  const { at, version, agent, action, resource, via, effect, rules, limits, approval } = record;
  const { shadow = [], shadowLimits = [], call } = record;
  return {
    at: new Date(at).toISOString(),
    version,
    agent: agent.name,
    verified: agent.verified,
    ...{ action, resource, via },
    decision: effect,
    ...(call === undefined ? {} : { call }),
    ...{ rules, limits },
    ...(approval === undefined ? {} : { approval }),
    shadow: { would_be: saidWithShadow(record), rules: shadow, limits: shadowLimits },
  };
}
