import { policyKeys, type Store } from "../redis/index.js";
import { type DecisionRecord, parseDecisionRecord } from "./decision-record.js";

const pageMost = 500;

/** What was decided in a namespace, as far as it is still kept. */
export interface PastDecisions {
  /** The oldest first. */
  readonly records: readonly DecisionRecord[];
  /** How many cannot be decided again: another program wrote them, or their context was too long to be kept. */
  readonly unread: number;
}

/** Decisions since a time, ms. What is decided meanwhile may or may not be among them. */
export async function pastDecisions(store: Store, namespace: string, since: number): Promise<PastDecisions> {
  const records: DecisionRecord[] = [];
  let unread = 0;
  for await (const record of newestDecisions(store, namespace)) {
    if (record && record.at < since) break;
    if (!record || record.cut) unread++;
    else records.push(record);
  }
  return { records: records.reverse(), unread };
}

/** Decisions that are kept, the newest first; undefined for one that another program wrote. */
export async function* newestDecisions(
  store: Store,
  namespace: string,
): AsyncGenerator<DecisionRecord | undefined> {
  const { decisions } = policyKeys(namespace);
  let last: string | undefined;
  for (let from = 0; ; from += pageMost) {
    const page = (await store.command("LRANGE", decisions, from, from + pageMost - 1)) as string[];
    // What was decided since the last page has moved the end of that one into this one.
    const again = last === undefined ? -1 : page.lastIndexOf(last);
    for (const text of page.slice(again + 1)) yield parseDecisionRecord(text);
    if (page.length < pageMost) return;
    last = page.at(-1);
  }
}
