import type { Caller, PendingRow } from "../identity/index.js";
import { type MailboxName, mailboxKeys } from "../redis/index.js";
import { type MailContext, ownMailbox } from "./context.js";
import type { Inbox, ReadInbox } from "./contract.js";
import type { ReadOptions } from "./read-options.js";
import { emptyInbox } from "./show-delivery.js";
import { takePage } from "./take-page.js";

const waitingEveryMs = 10_000;

/** A page at once, or as soon as something has come. No store command is spent while nothing happens. */
export async function takeOrWait(
  context: MailContext,
  caller: Caller,
  place: MailboxName,
  input: ReadInbox,
  options: ReadOptions,
  row: PendingRow,
): Promise<Inbox> {
  const waitMs = (input.wait_seconds ?? 0) * 1000;
  if (waitMs === 0) {
    const { nextDueAt: _, ...inbox } = await takePage(context, caller, place, input, options, row);
    return inbox;
  }
  const until = Date.now() + waitMs;
  const wake = new Wake(options.signal);
  const stops: (() => void)[] = [];
  let told = Date.now();
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
      const { nextDueAt, ...inbox } = await takePage(context, caller, place, input, options, row);
      const now = Date.now();
      if (inbox.messages.length > 0 || now >= until)
        return { ...inbox, timed_out: inbox.messages.length === 0 };
      const dueAt = nextDueAt > 0 ? now + Math.max(nextDueAt - context.deps.store.now(), 20) : until;
      told = await sleep(wake, Math.min(until, dueAt), until, told, options.onWaiting);
    }
  } finally {
    for (const stop of stops) stop();
    wake.end();
  }
}

/** Sleeps until woken or the time has come, telling every ten seconds how much is left. Answers when it told last. */
async function sleep(
  wake: Wake,
  soonest: number,
  until: number,
  toldBefore: number,
  tell: ((secondsLeft: number) => void) | undefined,
): Promise<number> {
  let told = toldBefore;
  while (!wake.awake && Date.now() < soonest) {
    if (tell && Date.now() - told >= waitingEveryMs) {
      told = Date.now();
      tell(Math.ceil((until - told) / 1000));
    }
    const next = tell ? Math.min(soonest, told + waitingEveryMs) : soonest;
    await wake.wait(Math.max(next - Date.now(), 1));
  }
  return told;
}

/** Something to sleep on: woken by a hint or an abort; a wake-up while awake is not forgotten. */
class Wake {
  awake = false;
  #resolve: (() => void) | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.now();

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
  }

  now(): void {
    this.awake = true;
    this.#resolve?.();
  }

  rest(): void {
    this.awake = false;
  }

  async wait(ms: number): Promise<void> {
    if (this.awake) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#resolve = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#resolve = undefined;
  }

  end(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }
}
