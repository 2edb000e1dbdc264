/** What the namespace's own records say of an agent; nothing a caller says changes it. */
export interface AgentFacts {
  /** What it is trusted with, in the words of the operator, such as junior; empty where nothing is recorded. */
  readonly role: string;
  /** The team it works in; empty where nothing is recorded. */
  readonly team: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Of an agent of whom nothing is recorded. */
export const noFacts: AgentFacts = { role: "", team: "", labels: {} };
