import { MailboxError } from "../errors/index.js";
import { type Caller, PendingRow, refusedRow } from "../identity/index.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { AckMessages, AckResult } from "./contract.js";
import { mayReadAt, visitedMailboxes } from "./find-delivery.js";
import { isMessageId } from "./message-id.js";
import { noteCall } from "./note-call.js";
import { digest, type Operation } from "./operation.js";
import { type Place, topicPlace } from "./run-memory.js";
import { refused, type Settled, type Settlement, settleAt, shortId } from "./settle-deliveries.js";

/**
 * Settles deliveries of the caller: done, retry (comes again after a delay), reject (to the dead letters) or extend.
 *
 * An id stands for the caller's own delivery. Each id is answered by itself: `delivery.superseded` when a job has gone
 * to another consumer, `delivery.not_open`, `mailbox.not_yours`. Repeating the call with its key changes nothing more,
 * also when what was given back has been delivered again meanwhile.
 *
 * @throws {MailboxError} `access.denied`, `mailbox.idempotency_conflict`, `mailbox.rate_limited`, `store.*`
 */
export async function ackMessages(
  context: MailContext,
  caller: Caller,
  input: AckMessages,
): Promise<AckResult> {
  await noteCall(context, caller);
  const admission = await context.deps.admit(caller, "mailbox.read", ownMailbox(caller));
  const row = new PendingRow(admission);
  const ids = [...new Set(input.ids)];
  const results = new Map<string, Settled>();
  const memory = context.memory(caller);
  const operation = operationOf(context, caller, input, ids);
  let replayed = false;
  const settlement: Settlement = {
    outcome: input.outcome ?? "done",
    attempt: operation.attempt,
    row,
    ...(input.delay_seconds === undefined ? {} : { delayMs: input.delay_seconds * 1000 }),
    ...(input.reason === undefined ? {} : { said: input.reason }),
    ...(operation.keyed ? { operation } : {}),
  };
  const settle = async (place: Place, some: readonly string[]): Promise<void> => {
    if (await settleAt(context, caller, place, some, settlement, results)) replayed = true;
  };

  const byPlace = new Map<Place, string[]>();
  // What is no id of ours is not looked for.
  const real = ids.filter(isMessageId);
  for (const id of real) {
    const place = memory.known(id)?.place;
    if (place !== undefined && (await mayReadAt(context, caller, place)))
      byPlace.set(place, [...(byPlace.get(place) ?? []), id]);
  }
  for (const [place, known] of byPlace) await settle(place, known);
  // Ids of an earlier run of this agent, or beyond what this process remembers: wherever the agent has deliveries.
  const missing = (): string[] => real.filter((id) => !results.has(id));
  const elsewhere = missing().length > 0 ? [...(await visitedMailboxes(context, caller)), topicPlace] : [];
  for (const place of elsewhere) {
    const left = missing();
    if (left.length > 0) await settle(place, left);
  }
  // Nothing of it is the caller's, as it is told for each; unless this call only repeats one.
  if (row.text !== "" && !replayed)
    await context.deps.record(caller, { row: refusedRow(admission, "mailbox.not_yours") });
  return {
    results: ids.map(
      (id) =>
        results.get(id) ?? refused(id, new MailboxError("mailbox.not_yours", { message_id: shortId(id) })),
    ),
    replayed,
  };
}

function operationOf(
  context: MailContext,
  caller: Caller,
  input: AckMessages,
  ids: readonly string[],
): Operation {
  const { idempotency_key: key, ids: _given, ...asked } = input;
  return {
    key: `k|${caller.principal.agent}|${digest(["ack", key])}`,
    digest: digest({ ...asked, ids: [...ids].sort() }),
    attempt: context.deps.store.attempt(),
    keepMs: context.limits.idempotencyMs,
    keyed: key !== undefined,
  };
}
