import {
  type CompiledRules,
  type Effect,
  effects,
  loadCompiler,
  pastDecisions,
  type Replayed,
  replayDecisions,
} from "../policy/index.js";
import { plural, printJson, printLine, printTable } from "./print.js";
import { rulesFile } from "./rules-file.js";
import { asOperator, lookInto, type Switches } from "./with-house.js";

/** People look at so many; programs get all. */
const shownMost = 50;

/** Decides what was decided lately by the rules of a file, and says what would change. Nothing is changed. */
export async function replayRules(
  path: string,
  switches: Switches & { readonly since?: number },
): Promise<void> {
  const { compileRules } = await loadCompiler();
  const rules = compileRules(await rulesFile(path));
  const nothing = { replayed: [] as readonly Replayed[], unread: 0 };
  const { replayed, unread } = await lookInto(switches, nothing, (house) =>
    asOperator(house, "admin.policy", "*", async (caller, admission) => {
      await house.recorder.record(caller, admission);
      const { namespace } = caller.principal;
      const since = switches.since === undefined ? 0 : house.store.now() - switches.since;
      const { records, unread } = await pastDecisions(house.store, namespace, since);
      const past = await house.ruleBook.texts(namespace, new Set(records.map(({ version }) => version)));
      return { replayed: [...replayDecisions(records, rules, await readable(past))], unread };
    }),
  );
  const changed = replayed.filter(({ before, after }) => before !== after);
  const changes = tallied(changed);
  if (switches.json)
    return printJson({
      decisions: replayed.length,
      since: replayed[0] ? new Date(replayed[0].record.at).toISOString() : null,
      changed: changed.length,
      changes: changes.map(([, first, count]) => ({ from: first.before, to: first.after, count })),
      unread,
      which: changed.map(asJson),
    });
  if (unread > 0)
    printLine(
      `Left out: ${plural(unread, "decision")} of another program, or whose context was too long to be kept.`,
    );
  if (replayed.length === 0)
    return printLine(
      "Nothing that is recorded was decided in that time. Calls of our own tools (mail, topics, locks, state) that are simply allowed are not recorded.",
    );
  const since = new Date(replayed[0]!.record.at).toISOString();
  printLine(`${plural(replayed.length, "decision")} since ${since}: ${changed.length} would be another.`);
  for (const [, first, count] of changes) printLine(`  ${count} from ${first.before} to ${first.after}`);
  if (changed.length === 0) return;
  printLine();
  printTable(changed.slice(-shownMost), [
    { head: "WHEN", cell: ({ record }) => new Date(record.at).toISOString() },
    { head: "AGENT", cell: ({ record }) => record.agent.name },
    { head: "ACTION", cell: ({ record }) => record.action },
    { head: "RESOURCE", cell: ({ record }) => record.resource },
    { head: "WAS", cell: ({ before }) => before },
    { head: "BY", cell: ({ record }) => [...record.rules, ...record.limits].join(", ") },
    { head: "WOULD BE", cell: ({ after }) => after },
    { head: "BY", cell: ({ rules: by, limits }) => [...by, ...limits].join(", ") },
  ]);
  if (changed.length > shownMost)
    printLine(`\nThese are the newest ${shownMost} of ${changed.length}: --json tells all.`);
}

/** The rules of earlier versions, where this program can read them. */
async function readable(
  texts: ReadonlyMap<number, string>,
): Promise<(version: number) => CompiledRules | undefined> {
  const { compileRules } = await loadCompiler();
  const compiled = new Map<number, CompiledRules>();
  for (const [version, text] of texts)
    try {
      compiled.set(version, compileRules(text));
    } catch {
      // Then what was counted by them is added up anew.
    }
  return (version) => compiled.get(version);
}

/** From what to what, the most frequent first, with one that stands for them. */
function tallied(changed: readonly Replayed[]): readonly [key: string, first: Replayed, count: number][] {
  const tally = new Map<string, [string, Replayed, number]>();
  for (const one of changed) {
    const key = `${one.before} ${one.after}`;
    const known = tally.get(key);
    if (known) known[2]++;
    else tally.set(key, [key, one, 1]);
  }
  return [...tally.values()].sort((a, b) => b[2] - a[2] || strictness(b[1].after) - strictness(a[1].after));
}

function strictness(effect: Effect): number {
  return effects.indexOf(effect);
}

function asJson({ record, before, after, rules, limits }: Replayed): object {
  const { at, version, agent, action, resource, via } = record;
  return {
    at: new Date(at).toISOString(),
    version,
    agent: agent.name,
    ...{ action, resource, via },
    before: { effect: before, rules: record.rules, limits: record.limits },
    after: { effect: after, rules, limits },
  };
}
