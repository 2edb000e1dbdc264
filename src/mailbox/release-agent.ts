import { mailboxKeys } from "../redis/index.js";
import type { MailContext } from "./context.js";
import { workplaces } from "./find-delivery.js";
import { releaseRun } from "./release-run.js";

/**
 * Gives back everything that is open at an agent, whichever of its runs has it: jobs to other consumers, without
 * counting as a failure, mail and what topics delivered to the agent itself for when it goes on.
 *
 * @param runs those of its runs that are known beside what its mailboxes tell, because topics do not list them
 */
export async function releaseAgent(
  context: MailContext,
  namespace: string,
  agent: string,
  runs: readonly string[],
): Promise<void> {
  const all = new Set(runs);
  for (const place of await workplaces(context, namespace, agent))
    for (const run of (await context.deps.store.command(
      "HKEYS",
      mailboxKeys(namespace, place).runs,
    )) as string[])
      if (run.startsWith(`${agent}/`)) all.add(run);
  for (const run of all) await releaseRun(context, namespace, agent, run, true);
}
