import { mailboxKeys } from "../redis/index.js";
import type { MailContext } from "./context.js";

/** For each queue, those of the agents that ever came to it for a job. */
export async function queueConsumers(
  context: MailContext,
  namespace: string,
  agents: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const consumers = new Map<string, string[]>();
  const visits = await Promise.all(
    agents.map(
      async (agent) =>
        (await context.deps.store.command("SMEMBERS", mailboxKeys(namespace, agent).places)) as string[],
    ),
  );
  for (const [n, places] of visits.entries())
    for (const place of places) {
      if (!place.startsWith("queue:")) continue;
      const queue = place.slice("queue:".length);
      consumers.set(queue, [...(consumers.get(queue) ?? []), agents[n]!]);
    }
  return consumers;
}
