import type { MailboxName } from "../redis/index.js";
import type { MailContext } from "./context.js";

const freshMs = 5_000;

interface Known {
  readonly readAt: number;
  readonly claimMs: ReadonlyMap<string, number>;
}

const known = new WeakMap<MailContext, Map<string, Known>>();

/** How long a job of this queue stays with whoever took it, ms; a changed setting holds here within 5 s. */
export async function claimMsOf(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
): Promise<number> {
  if (!mailbox.startsWith("queue:")) return context.limits.claimMs;
  const namespaces = known.get(context) ?? new Map<string, Known>();
  known.set(context, namespaces);
  let queues = namespaces.get(namespace);
  if (!queues || Date.now() - queues.readAt > freshMs) {
    const settings = await context.deps.directory.queues(namespace);
    const claimMs = new Map<string, number>();
    for (const [name, { claimSeconds }] of settings)
      if (claimSeconds !== undefined) claimMs.set(`queue:${name}`, claimSeconds * 1000);
    queues = { readAt: Date.now(), claimMs };
    namespaces.set(namespace, queues);
  }
  return queues.claimMs.get(mailbox) ?? context.limits.claimMs;
}
