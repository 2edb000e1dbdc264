import { isRefusal } from "../errors/index.js";
import { lockKeys } from "../redis/index.js";
import type { LockContext } from "./context.js";
import { shownResources } from "./shown-resource.js";

/** Tells an agent or a topic something in the name of the system; once, however often it is asked with the same `about`. */
export type Tell = (
  namespace: string,
  to: string,
  notice: {
    readonly about: string;
    readonly lines: readonly string[];
    readonly data: Readonly<Record<string, unknown>>;
  },
) => Promise<void>;

/** A call that waits takes its turn at once, and needs no notice of it, ms. */
const patienceMs = 1_000;

/**
 * Tells those whose turn has come, where they asked for it and do not take it at once. What cannot be told now is told by the next sweep, and what
 * nobody may be told any more (a full mailbox, a topic that is gone) is given up: the offer itself stands all the same.
 */
export async function tellOfTurns(context: LockContext, namespace: string, tell: Tell): Promise<void> {
  const { store, log } = context.deps;
  const { notices } = lockKeys(namespace);
  for (const [field, text] of context.sinceLongerThan(patienceMs, namespace, await store.hash(notices))) {
    // Whoever took it meanwhile, or gave it up, is told nothing.
    if (!(await store.command("HEXISTS", notices, field))) continue;
    // The names of resources come last, and may have any character but the end of a line.
    const [, agent = "", to = "", until = "", resources = ""] =
      /^([^|]*)\|([^|]*)\|([^|]*)\|(.*)$/s.exec(text) ?? [];
    const [ticket = ""] = field.split(" ");
    const wanted = resources.split("\n");
    try {
      await tell(namespace, to, {
        about: `turn ${field}`,
        lines: [
          `It is the turn of ${agent} for ${shownResources(wanted)}, until ${new Date(Number(until)).toISOString()}.`,
          `Call acquire_lock with ticket ${ticket} to take it; after that time the next in the queue is asked, and within seconds when the process of ${agent} is silent.`,
        ],
        data: { ticket, agent, resources: wanted, until: new Date(Number(until)).toISOString() },
      });
    } catch (error) {
      if (isPassing(error)) throw error;
      log("nobody could be told of a turn", { to, error: (error as Error).message });
    }
    await store.command("HDEL", notices, field);
  }
}

function isPassing(error: unknown): boolean {
  return isRefusal(error) && error.code.startsWith("store.");
}
