import { randomBytes } from "node:crypto";
import type { Caller, Principal, Run } from "./principal.js";
import { withoutSecrets } from "./token.js";

/**
 * What was decided about one call. Holds names, codes and numbers: never a body, a subject, a reason somebody gave, or a
 * secret.
 */
export interface AuditEvent {
  /** Names this decision, so that our own repetition of a call records it once. */
  readonly id: string;
  readonly agent: string;
  /** Which run of the agent; empty where it had none. */
  readonly run: string;
  /** What proved who called: none, operator, or the kind of the credential with its id, as token:ID. */
  readonly by: string;
  /** `room.verb`, as in a grant. */
  readonly action: string;
  readonly resource: string;
  /** `deny`: the rules forbid it. `refuse`: allowed or not, it was refused for another reason. */
  readonly outcome: "allow" | "deny" | "refuse";
  /** What allowed it, or the code of the refusal. */
  readonly because: string;
}

/** The row of an event as it is stored: one line of JSON whose keys are letters, because there is a row for every call. */
export function auditRow(event: AuditEvent): string {
  return `{"i":${JSON.stringify(event.id)},${fieldsBesideId(event)}`;
}

/** All of a row that comes behind its id. */
function fieldsBesideId(event: Omit<AuditEvent, "id">): string {
  const { agent, run, by, action, resource, outcome, because } = event;
  const o = withoutSecrets(resource);
  return JSON.stringify({ w: agent, r: run, c: by, a: action, o, d: outcome, y: because }).slice(1);
}

/**
 * A row in two parts, for a script that knows itself what comes out and why: all before its outcome, and its reason. Both
 * are texts of JSON, with the outcome and the marks of strings missing between and behind them.
 */
export function rowParts(row: string): { readonly before: string; readonly because: string } {
  // In a string of JSON no quotation mark stands bare.
  const reason = row.lastIndexOf('","y":"');
  return { before: row.slice(0, row.lastIndexOf('"', reason - 1)), because: row.slice(reason + 7, -2) };
}

/** The same row, about another resource. */
export function rowAbout(row: string, resource: string): string {
  // In a string of JSON no quotation mark stands bare.
  const from = row.lastIndexOf('","o":"') + 6;
  return `${row.slice(0, from)}${JSON.stringify(withoutSecrets(resource))}${row.slice(row.lastIndexOf('","d":"') + 1)}`;
}

/** The event of a row; undefined when the text is none of ours. */
export function parseAuditRow(row: string): AuditEvent | undefined {
  let read: unknown;
  try {
    read = JSON.parse(row);
  } catch {
    return undefined;
  }
  const word = (key: string): string => String((read as Record<string, unknown> | null)?.[key] ?? "");
  const outcome = word("d");
  if (outcome !== "allow" && outcome !== "deny" && outcome !== "refuse") return undefined;
  return {
    id: word("i"),
    agent: word("w"),
    run: word("r"),
    by: word("c"),
    action: word("a"),
    resource: word("o"),
    outcome,
    because: word("y"),
  };
}

type Decided = Pick<AuditEvent, "action" | "resource" | "outcome" | "because">;

/** What the last row of each run said beside its id: a run mostly does again what it did before. */
const lastOfRuns = new WeakMap<
  Run,
  { readonly principal: Principal; readonly decided: Decided; readonly text: string }
>();

/** The row of a decision about a call of this caller. */
export function rowOf(caller: Caller, decided: Decided): string {
  return `{"i":"${newEventId()}",${textOf(caller, decided)}`;
}

function textOf({ principal, run }: Caller, decided: Decided): string {
  const last = lastOfRuns.get(run);
  if (last?.principal === principal && isSame(last.decided, decided)) return last.text;
  const { agent, credential } = principal;
  const shownId = "id" in credential && /^[\w.:-]{1,80}$/.test(credential.id) ? `:${credential.id}` : "";
  const by = `${credential.kind}${shownId}`;
  const text = fieldsBesideId({ agent, run: run.id.slice(run.id.indexOf("/") + 1), by, ...decided });
  lastOfRuns.set(run, { principal, decided, text });
  return text;
}

function isSame(one: Decided, other: Decided): boolean {
  return (
    one.resource === other.resource &&
    one.action === other.action &&
    one.because === other.because &&
    one.outcome === other.outcome
  );
}

/** The row of what was allowed and then not done: it was refused for another reason. */
export function refusedRow({ row }: { readonly row: string }, because: string): string {
  const event = parseAuditRow(row);
  return event ? auditRow({ ...event, outcome: "refuse", because }) : row;
}

/** The row of an admission with one more of what allowed it, or which of several things was done. */
export function alsoBecause({ row }: { readonly row: string }, more: string): { readonly row: string } {
  const event = parseAuditRow(row);
  return { row: event ? auditRow({ ...event, because: `${event.because}; ${more}` }) : row };
}

const process = randomBytes(6).toString("base64url");
let events = 0;

function newEventId(): string {
  events += 1;
  return `${process}.${events.toString(36)}`;
}
