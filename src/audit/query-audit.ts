import { type AuditEvent, parseAuditRow } from "../identity/index.js";
import { auditKeys, type Store } from "../redis/index.js";
import { parseSealed, parseSealedText } from "./chain.js";
import { beginOfChain, chunkBegin } from "./sealed-rows.js";
import type { Places } from "./slot.js";
import { unsealedRows } from "./unsealed-rows.js";

/** An event as it is found: with its number in the chain once it is sealed. */
export interface FoundEvent extends AuditEvent {
  /** By the store's clock, ms. */
  readonly at: number;
  readonly number?: number;
}

export interface AuditQuery {
  readonly agent?: string;
  /** An action, or all of a room as `mailbox.*`. */
  readonly action?: string;
  readonly resource?: string;
  /** allow, deny, refuse, or the code of a refusal. */
  readonly outcome?: string;
  readonly since?: number;
  readonly until?: number;
}

/** Rows are sealed up to a minute after they were recorded, and later when no process ran: how far back that may lie. */
const lateMs = 86_400_000;

/** What was recorded, newest first: what waits to be sealed, then the chain from its end. */
export async function* queryAudit(
  store: Store,
  places: Places,
  namespace: string,
  query: AuditQuery = {},
): AsyncGenerator<FoundEvent> {
  const keys = auditKeys(namespace);
  // The slots before the chain: what is sealed in between is found there then, and known by what was taken.
  const { rows, ended } = await unsealedRows(store, places, namespace);
  const first = await beginOfChain(store, keys, ended);
  for (const { number, row } of rows.toReversed()) {
    const found = eventOf(row, number);
    if (found && isMeant(found, query)) yield found;
  }
  for (let last = ended; last >= first; last = chunkBegin(last) - 1) {
    const entries = (await store.command("LRANGE", keys.chunk(last), 0, -1)) as string[];
    const from = chunkBegin(last) - 1;
    let newest = 0;
    for (let n = Math.min(entries.length, last - from); n > 0; n--) {
      const { number, row } = parseSealedText(parseSealed(entries[n - 1]!).text);
      const found = eventOf(row, number);
      newest = Math.max(newest, number / 1000);
      if (found && isMeant(found, query)) yield { ...found, number: from + n };
    }
    if (query.since !== undefined && newest < query.since - lateMs) return;
  }
}

function eventOf(row: string, number: number): FoundEvent | undefined {
  const event = parseAuditRow(row);
  return event && { ...event, at: Math.floor(number / 1000) };
}

function isMeant(event: FoundEvent, { agent, action, resource, outcome, since, until }: AuditQuery): boolean {
  if (agent !== undefined && event.agent !== agent) return false;
  if (action !== undefined && !isAction(action, event.action)) return false;
  if (resource !== undefined && !event.resource.split(",").includes(resource)) return false;
  if (outcome !== undefined && event.outcome !== outcome && event.because.split(": ")[0] !== outcome)
    return false;
  if (since !== undefined && event.at < since) return false;
  return until === undefined || event.at <= until;
}

function isAction(asked: string, action: string): boolean {
  return asked.endsWith(".*") ? action.startsWith(asked.slice(0, -1)) : action === asked;
}
