import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import type { MailContext } from "./context.js";
import { touchJobs } from "./settle-deliveries.js";

/**
 * What every call of a run does first: it shows that the run is alive, prolongs the claims of its jobs, and counts. The
 * count is the agent's, in this process: a second run, session or connection has no minute of its own.
 *
 * @throws {MailboxError} `mailbox.rate_limited` past the calls an agent may make in a minute
 */
export async function noteCall(context: MailContext, caller: Caller): Promise<void> {
  const { namespace, agent } = caller.principal;
  const { calls, secondsLeft } = context.rate.count(`${namespace}/${agent}`, Date.now());
  const limit = context.limits.callsPerMinute;
  if (calls > limit) refuse("mailbox.rate_limited", { what: "calls", limit, seconds: secondsLeft });
  context.deps.runs.active(caller);
  if (context.memory(caller).hasJobs) await touchJobs(context, caller);
}
