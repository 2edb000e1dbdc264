import type { Caller, PendingRow } from "../identity/index.js";
import { type MailboxName, mailboxKeys, Wake } from "../redis/index.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { Inbox, ReadInbox } from "./contract.js";
import { newMessageId } from "./message-id.js";
import type { ReadOptions } from "./read-options.js";
import { emptyInbox } from "./show-delivery.js";
import { stillOpen } from "./still-open.js";
import { type Taken, takePage } from "./take-page.js";

/** A page at once, or as soon as something has come. No store command is spent while nothing happens. */
export async function takeOrWait(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  input: ReadInbox,
  options: ReadOptions,
  row: PendingRow,
): Promise<Inbox> {
  const memory = context.memory(caller);
  const take = (): Promise<Taken> => takePage(context, caller, place, input, options, row);
  /** What looks told once stands in the answer, whichever look of this wait it was; if that reaches nobody, in the next. */
  const answer = async (inbox: Inbox): Promise<Inbox> => {
    const told = memory.takeUntold();
    if (!told) return inbox;
    const batch = inbox.batch ?? newMessageId(context.deps.store.now());
    memory.toldWith(batch, told);
    try {
      return { ...inbox, ...told, reminders: await stillOpen(context, caller, told.reminders), batch };
    } catch (error) {
      memory.confirm(batch, false);
      throw error;
    }
  };
  const waitMs = (input.wait_seconds ?? 0) * 1000;
  if (waitMs === 0) return answer((await take()).inbox);
  const from = performance.now();
  const wake = new Wake({
    until: from + waitMs,
    signals: [options.signal, options.over],
    tell: options.onWaiting,
  });
  const stops: (() => void)[] = [];
  try {
    // Listening begins before looking, so that what comes in between is not missed.
    stops.push(
      await context.deps.hints.listen(mailboxKeys(caller.principal.namespace, place).channel, () =>
        wake.now(),
      ),
    );
    if (place === ownMailbox(caller)) stops.push(await context.deps.feed.listen(caller, () => wake.now()));
    for (;;) {
      if (options.signal?.aborted) return emptyInbox(true);
      wake.rest();
      const { nextDueAt, inbox } = await take();
      const now = performance.now();
      if (inbox.messages.length > 0) return answer(inbox);
      // Nobody waits any more: what was told is kept for who asks next.
      if (options.signal?.aborted) return emptyInbox(true);
      if (now >= wake.until || options.over?.aborted)
        return answer({ ...inbox, timed_out: true, waited_seconds: Math.round((now - from) / 1000) });
      await wake.sleep(nextDueAt > 0 ? now + Math.max(nextDueAt - context.deps.store.now(), 20) : undefined);
    }
  } finally {
    for (const stop of stops) stop();
    wake.end();
  }
}
