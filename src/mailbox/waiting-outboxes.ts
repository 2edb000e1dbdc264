import { directoryKeys } from "../redis/index.js";
import type { MailContext } from "./context.js";

/** How many mailboxes have recipients that are still to be reached, and for how long the longest of them is overdue. */
export async function waitingOutboxes(
  context: MailContext,
  namespace: string,
): Promise<{ readonly count: number; readonly overdueMs: number }> {
  const { store } = context.deps;
  const { outboxes } = directoryKeys(namespace);
  const [count, first] = await Promise.all([
    store.command("ZCARD", outboxes),
    store.command("ZRANGE", outboxes, 0, 0, "WITHSCORES") as Promise<string[]>,
  ]);
  const dueAt = first[1] === undefined ? undefined : Number(first[1]);
  return {
    count: Number(count),
    overdueMs: dueAt === undefined ? 0 : Math.max(0, Math.round(store.now() - dueAt)),
  };
}
