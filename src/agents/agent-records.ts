import { isAgentName } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import { type Admit, type AgentFacts, type Caller, noFacts } from "../identity/index.js";
import type { Access } from "./access.js";

/** Most labels of one agent. */
const labelsMost = 32;

/** Changes of one agent's facts at once are rare: more attempts would hide a mistake. */
const mostAttempts = 5;

/** What is to be recorded of an agent; what is not named stays, and an empty word takes one back. */
export interface FactsChange {
  readonly role?: string;
  readonly team?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Names of labels that go. */
  readonly unlabel?: readonly string[];
}

/** What the namespace records of its agents, by which rules of policy tell them apart. */
export class AgentRecords {
  readonly #access: Access;
  readonly #admit: Admit;

  constructor({ access, admit }: { readonly access: Access; readonly admit: Admit }) {
    this.#access = access;
    this.#admit = admit;
  }

  /**
   * Changes what is recorded of an agent, whether or not it was ever here. Holds in every process within a second.
   *
   * @throws {MailboxError} `access.denied`, `input.invalid`
   */
  async set(caller: Caller, agent: string, change: FactsChange): Promise<AgentFacts> {
    const admission = await this.#admit(caller, "admin.agents", agent);
    check(change);
    const { namespace } = caller.principal;
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const before = (await this.#access.rulesNow(namespace)).facts.get(agent);
      const facts = changed(before ?? noFacts, change);
      const field = `facts:${agent}` as const;
      const was = before ? JSON.stringify(before) : "";
      const value = isNothing(facts) ? {} : { value: JSON.stringify(facts) };
      if (await this.#access.change(namespace, [{ field, was, ...value }], admission)) return facts;
    }
    return refuse("store.unavailable");
  }
}

function check({ role, team, labels = {}, unlabel = [] }: FactsChange): void {
  word("the role", role);
  word("the team", team);
  for (const [name, value] of Object.entries(labels)) {
    word("the name of a label", name);
    word(`the label ${name}`, value);
  }
  for (const name of unlabel) word("the name of a label", name);
}

/** The alphabet of agents' names: rules compare these words, and nothing in them may look like another. */
function word(what: string, text: string | undefined): void {
  const isTakenBack = text === "" && what !== "the name of a label";
  if (text === undefined || isTakenBack || isAgentName(text)) return;
  refuse("input.invalid", {
    problem: `${what} is 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit`,
  });
}

function changed(before: AgentFacts, { role, team, labels = {}, unlabel = [] }: FactsChange): AgentFacts {
  const all = { ...before.labels, ...labels };
  const kept = Object.entries(all).filter(([name, value]) => value !== "" && !unlabel.includes(name));
  if (kept.length > labelsMost)
    refuse("input.invalid", { problem: `an agent has at most ${labelsMost} labels` });
  kept.sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    role: role ?? before.role,
    team: team ?? before.team,
    labels: Object.fromEntries(kept),
  };
}

function isNothing({ role, team, labels }: AgentFacts): boolean {
  return role === "" && team === "" && Object.keys(labels).length === 0;
}
