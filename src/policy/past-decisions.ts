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
  let last: string | undefined;
  for (let from = 0; ; from += pageMost) {
    const page = (await store.command(
      "LRANGE",
      policyKeys(namespace).decisions,
      from,
      from + pageMost - 1,
    )) as string[];
    // What was decided since the last page has moved the end of that one into this one.
    const again = last === undefined ? -1 : page.lastIndexOf(last);
    for (const text of page.slice(again + 1)) {
      const record = parseDecisionRecord(text);
      if (record && record.at < since) return { records: records.reverse(), unread };
      if (!record || record.cut) unread++;
      else records.push(record);
    }
    if (page.length < pageMost) return { records: records.reverse(), unread };
    last = page.at(-1);
  }
}
