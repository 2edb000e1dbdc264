import { isRefusal, MailboxError, refuse } from "../errors/index.js";
import type { Caller, PendingRow } from "../identity/index.js";
import { loadScript, type MailboxName } from "../redis/index.js";
import { claimMsOf } from "./claim-length.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { AckResult } from "./contract.js";
import { mayReadAt } from "./find-delivery.js";
import type { Operation } from "./operation.js";
import { flushSoon } from "./outbox.js";
import { type Place, topicPlace } from "./run-memory.js";

const settleMessages = loadScript(import.meta.url, "settle-messages.lua");

type Outcome = "done" | "retry" | "reject" | "extend" | "touch" | "whole";
export type Settled = AckResult["results"][number];

/** What is to become of some deliveries. */
export interface Settlement {
  readonly outcome: Outcome;
  /** When it comes again, or how much longer it is kept, ms; the default of the outcome without it. */
  readonly delayMs?: number;
  /** Why, in the words of the agent. */
  readonly said?: string;
  /** Tells our own repetition from the caller's. */
  readonly attempt?: string;
  /** The caller gave a key: it is done once. */
  readonly operation?: Operation;
  /** The decision, recorded where the first of the deliveries is found; without it nobody asked for this by itself. */
  readonly row?: PendingRow;
}

/**
 * A reply settles what it answers; where that is gone or another's, there is nothing to settle.
 *
 * @throws {MailboxError} `store.outcome_unknown`: what the reply is for was done, and repeating the call settles it
 */
export async function settleAnswered(
  context: MailContext,
  caller: Caller,
  id: string,
  place: Place = ownMailbox(caller),
): Promise<void> {
  try {
    await settleAt(context, caller, place, [id], { outcome: "done" }, new Map());
  } catch (error) {
    if (isRefusal(error, "store.unavailable")) refuse("store.outcome_unknown", {}, { cause: error });
    throw error;
  }
}

/** Marks a message whose text had been cut as read to the end; answers the batch by which the next page settles it. */
export async function markRead(
  context: MailContext,
  caller: Caller,
  id: string,
  place: Place,
): Promise<string> {
  const batch = context.deps.store.attempt();
  context.memory(caller).delivered(batch, place);
  await settleAt(context, caller, place, [id], { outcome: "whole", attempt: batch }, new Map());
  return batch;
}

/** Prolongs the claims of the jobs a run works on, because it called; at most every few minutes per job, and not where it may not work any more. */
export async function touchJobs(context: MailContext, caller: Caller): Promise<void> {
  const { deps, limits } = context;
  const soon = deps.store.now() + limits.claimMs / 2;
  for (const [place, ids] of context.memory(caller).jobsEndingBefore(soon))
    if (await mayReadAt(context, caller, place))
      await settleAt(context, caller, place, ids, { outcome: "touch" }, new Map());
}

/**
 * Applies one outcome to deliveries at one place; what it answers for an id is put into `results`, nothing for ids that
 * are not there. With an operation it is done once, and answers whether it was done before.
 */
export async function settleAt(
  context: MailContext,
  caller: Caller,
  place: Place,
  ids: readonly string[],
  settlement: Settlement,
  results: Map<string, Settled>,
): Promise<boolean> {
  const { outcome, delayMs = -1, said = "", operation, row } = settlement;
  if (place === topicPlace) {
    if (outcome === "touch") return false;
    const settled = await context.deps.feed.settle(caller, ids, outcome, delayMs, {
      ...(operation ? { name: `${operation.key}|${operation.digest}` } : {}),
      ...(outcome === "whole" && settlement.attempt !== undefined ? { name: settlement.attempt } : {}),
      ...(row ? { row } : {}),
    });
    for (const [id, { state, at }] of settled)
      results.set(
        id,
        state === "not_open"
          ? refused(id, new MailboxError("delivery.not_open", { message_id: id }))
          : { id, state, ...(state === "settled" ? {} : { at: new Date(at).toISOString() }) },
      );
    return false;
  }
  const mailbox: MailboxName = place;
  const { limits } = context;
  const [word, pending, flat] = await context.run(caller.principal.namespace, mailbox, settleMessages, [
    caller.run.id,
    outcome,
    delayMs,
    await claimMsOf(context, caller.principal.namespace, mailbox),
    limits.longestClaimMs,
    operation?.attempt ?? settlement.attempt ?? context.deps.store.attempt(),
    operation?.key ?? "",
    operation?.digest ?? "",
    operation?.keepMs ?? 0,
    Buffer.from(said).toString("base64url"),
    row?.text ?? "",
    ...ids,
  ]);
  if (word === "CONFLICT") refuse("mailbox.idempotency_conflict");
  const words = flat as readonly string[];
  if (word === "DONE" && words.some((one, n) => n % 3 === 1 && one !== "UNKNOWN")) row?.written();
  const memory = context.memory(caller);
  for (let n = 0; n + 2 < words.length; n += 3) {
    const id = words[n]!;
    const at = Number(words[n + 2]);
    const result = resultOf(id, words[n + 1]!, at);
    if (result) results.set(id, result);
    if (result && !["extended", "refused"].includes(result.state)) memory.settled(id);
    const known = memory.known(id);
    if (known?.claimedUntil !== undefined) {
      if (words[n + 1] === "EXTENDED") known.claimedUntil = at;
      else known.claimedUntil = undefined;
    }
  }
  if (Number(pending) > 0) await flushSoon(context, caller.principal.namespace, mailbox);
  return word === "REPLAYED";
}

function resultOf(id: string, word: string, at: number): Settled | undefined {
  const when = new Date(at).toISOString();
  switch (word) {
    case "SETTLED":
      return { id, state: "settled" };
    case "READY":
    case "DELAYED":
      return { id, state: "retrying", at: when };
    case "DEAD":
      return { id, state: "dead" };
    case "EXTENDED":
      return { id, state: "extended", at: when };
    case "SUPERSEDED":
      return refused(id, new MailboxError("delivery.superseded", { message_id: id }));
    case "NOT_OPEN":
      return refused(id, new MailboxError("delivery.not_open", { message_id: id }));
    default:
      return undefined;
  }
}

export function refused(id: string, error: MailboxError): Settled {
  return {
    id: isPlain(id) ? id : "",
    state: "refused",
    refusal: { code: error.code, message: error.message },
  };
}

/** An id as given may be anything; only what looks like an id is shown again. */
export function shortId(id: string): string {
  return isPlain(id) ? id : "with that id";
}

function isPlain(id: string): boolean {
  return /^[0-9a-z-]{1,40}$/.test(id);
}
