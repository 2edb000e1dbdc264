import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import type { MailContext } from "./context.js";
import { touchJobs } from "./settle-deliveries.js";

const minuteMs = 60_000;

/**
 * What every call of a run does first: it shows that the run is alive, prolongs the claims of its jobs, and counts.
 *
 * @throws {MailboxError} `mailbox.rate_limited` past the calls a run may make in a minute
 */
export async function noteCall(context: MailContext, caller: Caller): Promise<void> {
  const memory = context.memory(caller);
  const now = Date.now();
  const minute = Math.floor(now / minuteMs);
  const count = memory.calls.minute === minute ? memory.calls.count + 1 : 1;
  memory.calls = { minute, count };
  const limit = context.limits.callsPerMinute;
  if (count > limit)
    refuse("mailbox.rate_limited", {
      what: "calls",
      limit,
      seconds: Math.ceil(((minute + 1) * minuteMs - now) / 1000),
    });
  context.deps.runs.active(caller);
  if (memory.hasJobs) await touchJobs(context, caller);
}
