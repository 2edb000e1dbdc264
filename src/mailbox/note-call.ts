import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { type MailContext, ownMailbox } from "./context.js";
import { touchJobs } from "./settle-deliveries.js";

const addCalls = loadScript(import.meta.url, "add-calls.lua");

/**
 * What every call of a run does first: it shows that the run is alive, prolongs the claims of its jobs, and counts. The
 * count is the agent's: a second run, session, connection or process has no minute of its own.
 *
 * @throws {MailboxError} `mailbox.rate_limited` past the calls an agent may make in a minute
 */
export async function noteCall(context: MailContext, caller: Caller): Promise<void> {
  const { namespace, agent } = caller.principal;
  const limit = context.limits.callsPerMinute;
  const { store } = context.deps;
  const { calls, secondsLeft } = await context.rate.count(
    `${namespace}/${agent}`,
    limit,
    store.now(),
    async (more) => {
      const { rate } = context.keys(namespace, ownMailbox(caller));
      const [, minute, all] = await store.run(addCalls, [rate], [more]);
      return { minute: Number(minute), calls: Number(all) };
    },
  );
  if (calls > limit) refuse("mailbox.rate_limited", { what: "calls", limit, seconds: secondsLeft });
  await context.deps.runs.active(caller);
  if (context.memory(caller).hasJobs) await touchJobs(context, caller);
}
