import { rolesOf } from "../agents/index.js";
import type { House } from "../compose.js";
import { type AgentFacts, noFacts, operatorPrincipal, type Role } from "../identity/index.js";
import {
  contextProblem,
  type ExplainedLimit,
  type Explanation,
  explainQuestion,
  type Look,
  loadCompiler,
} from "../policy/index.js";
import { jsonObject } from "./json-object.js";
import { lasting, onOneLine, printJson, printLine } from "./print.js";
import { rulesFile } from "./rules-file.js";
import { terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { asOperator, type Switches, withHouse } from "./with-house.js";

export interface ExplainSwitches extends Switches {
  /** What the agent would say, as JSON. */
  readonly context?: string;
  /** `role`, `team` and `labels` instead of those that are recorded, as JSON. */
  readonly facts?: string;
  /** Rules of this file instead of those in force. */
  readonly rules?: string;
}

interface Asked {
  readonly action: string;
  readonly resource: string;
  readonly agent: string;
}

/** Says what would be decided of a step of an agent now, by which rules and limits, and why not by others. */
export async function explainPolicy(
  action: string,
  resource: string | undefined,
  switches: ExplainSwitches,
): Promise<void> {
  const agent = switches.agent ?? terminal().env.LLM_MAILBOX_AGENT;
  if (!agent)
    throw new UsageError("explain needs to know who would do it: --agent NAME, or LLM_MAILBOX_AGENT");
  const asked: Asked = { action, resource: resource ?? "", agent };
  const context = switches.context === undefined ? {} : jsonObject("--context", switches.context);
  const problem = contextProblem(context);
  if (problem) throw new UsageError(`--context cannot be decided by: ${problem}`);
  const assumed = switches.facts === undefined ? undefined : factsOf(jsonObject("--facts", switches.facts));
  const { compileRules } = await loadCompiler();
  const tried = switches.rules === undefined ? undefined : compileRules(await rulesFile(switches.rules));
  const { explained, who, isStopped } = await withHouse(switches, (house, { namespace }) =>
    asOperator(house, "admin.policy", "*", async (caller, admission) => {
      await house.recorder.record(caller, admission);
      const recorded = await recordsOf(house, namespace, agent);
      const who = { ...recorded, ...assumed };
      const isStopped = (await house.access.rulesNow(namespace)).stopped.has(agent);
      const inForce = await house.ruleBook.inForce(namespace);
      const explained = await explainQuestion(
        house.store,
        namespace,
        tried ? { ...inForce, rules: tried } : inForce,
        {
          agent: { name: agent, verified: true, ...who },
          ...{ action: asked.action, resource: asked.resource, context },
          reads: { unverified: [], foreign: [] },
          nowMs: house.store.now(),
        },
      );
      return { explained, who, isStopped };
    }),
  );
  if (switches.json)
    return printJson({ ...asJson(asked, who, explained, tried !== undefined), stopped: isStopped });
  if (isStopped)
    printLine(
      `${agent} is stopped: every call of it is refused (access.stopped), whatever the rules say. They say:`,
    );
  for (const line of inWords(asked, who, explained, tried !== undefined)) printLine(line);
}

type Who = AgentFacts & { readonly roles: readonly Role[] };

/** Of an agent that proved its name: what the namespace says of a name holds for nobody else. */
async function recordsOf(house: House, namespace: string, agent: string): Promise<Who> {
  const rules = await house.access.rulesNow(namespace);
  const roles = rolesOf({ ...operatorPrincipal(namespace), agent, roles: ["agent"] }, rules);
  return { ...(rules.facts.get(agent) ?? noFacts), roles };
}

function factsOf(given: Readonly<Record<string, unknown>>): Partial<AgentFacts> {
  const { role, team, labels, ...others } = given;
  const isText = (value: unknown): boolean => value === undefined || typeof value === "string";
  const isTexts =
    labels === undefined ||
    (typeof labels === "object" &&
      labels !== null &&
      Object.values(labels).every((one) => typeof one === "string"));
  if (Object.keys(others).length > 0 || !isText(role) || !isText(team) || !isTexts)
    throw new UsageError(`--facts is such as '{"role":"junior","team":"payments","labels":{"site":"a"}}'`);
  return given as Partial<AgentFacts>;
}

function inWords(
  { agent, action, resource }: Asked,
  who: Who,
  { version, effect, decision, rules, counters, limits }: Explanation,
  isTried: boolean,
): readonly string[] {
  const step = onOneLine(`${action} ${resource}`, 200);
  const by = isTried ? "the rules of the file" : `version ${version} of the rules`;
  const deciding = new Set(decision.rules.map(({ id }) => id));
  return [
    `${effect}: ${agent} ${step}, by ${by}.`,
    `  ${agent} has ${facts(who)}`,
    ...(decision.known ? [] : [`  No rule names this action.${nearest(decision.nearest)}`]),
    ...(rules.length === 0
      ? ["No rule speaks of this action."]
      : ["Rules of this action, the leading one first:"]),
    ...rules.map((rule) => `  ${deciding.has(rule.id) ? "*" : " "} ${lookInWords(rule)}`),
    ...decision.rules.flatMap(({ id, reason, guidance }) => [
      `Reason (${id}): ${onOneLine(reason, 500)}`,
      ...(guidance === undefined ? [] : [`Instead: ${onOneLine(guidance, 500)}`]),
    ]),
    ...(decision.obligations.length === 0
      ? []
      : [`Obligations: ${decision.obligations.map((one) => onOneLine(one, 100)).join(", ")}`]),
    ...(counters.length === 0 ? [] : ["Counters:"]),
    ...counters.map(
      ({ counter, count }) =>
        `    ${counter.name} of ${counter.subject}: ${count} in this window of ${lasting(counter.windowMs / 1000)}${counter.counts ? ", and this step would count" : ""}`,
    ),
    ...(limits.length === 0 ? [] : ["Limits:"]),
    ...limits.map((limit) => `    ${limitInWords(limit)}`),
  ];
}

function facts({ role, team, labels, roles }: Who): string {
  const said = [
    `the roles ${roles.join(", ")}`,
    role === "" ? "no recorded role" : `the recorded role ${role}`,
    team === "" ? "no team" : `the team ${team}`,
    ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
  ];
  return `${onOneLine(said.join(", "), 300)}.`;
}

function nearest(names: readonly string[]): string {
  return names.length === 0 ? "" : ` The nearest: ${names.join(", ")}.`;
}

function lookInWords({ id, effect, shadow, holds, because }: Look): string {
  const tried = shadow ? " (only tried out)" : "";
  return `${id}: ${holds ? effect : `not ${effect}`}${tried}; ${onOneLine(because, 300)}`;
}

function limitInWords({ look, use }: ExplainedLimit): string {
  const { id, effect, shadow, because } = look;
  if (!use) return `${id}: does not hold; ${onOneLine(because, 300)}`;
  const { limit, used, held, takes, isExceeded } = use;
  const amount = (one: number): number => shown(limit.of, one);
  const uses = `${amount(used)} used and ${amount(held)} held of ${amount(limit.most)} by ${limit.subject}`;
  const what = isExceeded ? `exceeded, so ${effect}` : "not exceeded";
  return `${id}: ${what}${shadow ? " (only tried out)" : ""}; ${uses} in this window of ${lasting(limit.windowMs / 1000)}, this step takes ${amount(takes)}`;
}

/** Costs are kept in millionths. */
function shown(of: "cost" | "calls", amount: number): number {
  return of === "cost" ? amount / 1_000_000 : amount;
}

function asJson(
  { agent, action, resource }: Asked,
  who: Who,
  { version, effect, decision, rules, counters, limits }: Explanation,
  isTried: boolean,
): object {
  return {
    decision: effect,
    version: isTried ? null : version,
    agent: { name: agent, ...who },
    action,
    resource,
    known: decision.known,
    nearest: decision.nearest,
    decided_by: decision.rules,
    obligations: decision.obligations,
    rules,
    counters: counters.map(({ counter, count }) => ({
      name: counter.name,
      subject: counter.subject,
      window_seconds: counter.windowMs / 1000,
      count,
      would_count: counter.counts,
    })),
    limits: limits.map(({ look, use }) => ({
      ...look,
      ...(use && {
        of: use.limit.of,
        subject: use.limit.subject,
        window_seconds: use.limit.windowMs / 1000,
        used: shown(use.limit.of, use.used),
        held: shown(use.limit.of, use.held),
        most: shown(use.limit.of, use.limit.most),
        takes: shown(use.limit.of, use.takes),
        exceeded: use.isExceeded,
      }),
    })),
  };
}
