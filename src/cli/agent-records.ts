import type { Stop } from "../agents/index.js";
import type { House } from "../compose.js";
import type { Config } from "../config/index.js";
import { type AgentFacts, noFacts, type Role } from "../identity/index.js";
import { agentNamed } from "./agent-named.js";
import { onOneLine, printJson, printLine } from "./print.js";
import { UsageError } from "./usage-error.js";
import { asOperator, lookInto, type Switches, withHouse } from "./with-house.js";

interface Setting extends Switches {
  readonly role?: string;
  readonly team?: string;
  /** As name=value. */
  readonly label?: readonly string[];
  readonly unlabel?: readonly string[];
}

interface Shown extends AgentFacts {
  readonly roles: readonly Role[];
  readonly stopped: Stop | undefined;
}

/** Records what an agent is, for rules of policy to tell it by; holds in every process within a second. */
export async function setAgent(given: string, switches: Setting): Promise<void> {
  const agent = agentNamed(given);
  const { role, team, label, unlabel } = switches;
  if ([role, team, label, unlabel].every((one) => one === undefined))
    throw new UsageError("agents set needs --role, --team, --label or --unlabel");
  const change = {
    ...(role === undefined ? {} : { role }),
    ...(team === undefined ? {} : { team }),
    ...(label === undefined ? {} : { labels: labelsIn(label) }),
    ...(unlabel === undefined ? {} : { unlabel }),
  };
  const facts = await withHouse(switches, (house) =>
    asOperator(house, "admin.agents", agent, (caller) => house.agentRecords.set(caller, agent, change)),
  );
  if (switches.json) printJson({ agent, ...facts });
  else printLine(`${agent}: ${factsInWords(facts)}.`);
}

/** Shows what is recorded of an agent, and whether it was stopped. */
export async function showAgent(given: string, switches: Switches): Promise<void> {
  const agent = agentNamed(given);
  const nothing: Shown = { ...noFacts, roles: [], stopped: undefined };
  const { stopped, roles, ...facts } = await lookInto(switches, nothing, (house, config) =>
    asOperator(house, "admin.agents", agent, async (caller, admission) => {
      await house.recorder.record(caller, admission);
      return shownOf(house, config, agent);
    }),
  );
  if (switches.json)
    return printJson({
      agent,
      ...facts,
      rights: roles.length > 0 ? roles : ["agent"],
      stopped: stopped ? dated(stopped) : null,
    });
  printLine(`${agent}: ${factsInWords(facts)}.`);
  printLine(`Rights: ${(roles.length > 0 ? roles : ["agent"]).join(", ")}.`);
  if (stopped) printLine(stopInWords(stopped));
}

/** Stops an agent at once: nothing it asks for is done any more, and what it has is given up. */
export async function stopAgent(
  given: string,
  switches: Switches & { readonly reason: string },
): Promise<void> {
  const agent = agentNamed(given);
  const stop = await withHouse(switches, (house) =>
    asOperator(house, "admin.agents", agent, (caller) =>
      house.killSwitch.stop(caller, agent, switches.reason),
    ),
  );
  if (switches.json) return printJson({ agent, stopped: dated(stop) });
  printLine(
    `${agent} is stopped. Its locks and jobs were given up. What it sent and was not delivered yet waits; mail that is in a mailbox already is still read there, unless llm-mailbox recall takes it back.`,
  );
  printLine(`llm-mailbox agents resume ${agent} lets it go on.`);
}

/** Lets a stopped agent go on. */
export async function resumeAgent(given: string, switches: Switches): Promise<void> {
  const agent = agentNamed(given);
  const stop = await withHouse(switches, (house) =>
    asOperator(house, "admin.agents", agent, (caller) => house.killSwitch.resume(caller, agent)),
  );
  if (switches.json) return printJson({ agent, stopped: null, was_stopped: stop !== undefined });
  if (!stop) return printLine(`${agent} was not stopped.`);
  printLine(`${agent} may go on. It has to ask again for the locks it had.`);
}

async function shownOf(house: House, config: Config, agent: string): Promise<Shown> {
  const { facts, roles, stopped } = await house.access.rules(config.namespace);
  return {
    ...(facts.get(agent) ?? noFacts),
    roles: roles.get(agent) ?? [],
    stopped: stopped.get(agent),
  };
}

function labelsIn(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((one) => {
      const at = one.indexOf("=");
      if (at < 1) throw new UsageError("--label is given as name=value, such as --label tier=gold");
      return [one.slice(0, at), one.slice(at + 1)];
    }),
  );
}

function factsInWords({ role, team, labels }: AgentFacts): string {
  const words = [
    ...(role ? [`role ${role}`] : []),
    ...(team ? [`team ${team}`] : []),
    ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
  ];
  return words.length > 0 ? words.join(", ") : "nothing is recorded";
}

function stopInWords({ reason, by, at }: Stop): string {
  return `Stopped by ${by} at ${new Date(at).toISOString()}: ${onOneLine(reason, 500)}`;
}

function dated({ reason, by, at }: Stop): object {
  return { reason, by, at: new Date(at).toISOString() };
}
