import { isRefusal, refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { approvalKeys, Wake } from "../redis/index.js";
import { plainId } from "./approval-id.js";
import type { ApprovalContext } from "./context.js";
import type { Approval } from "./contract.js";
import { findRequest } from "./get-approval.js";
import { type ReadRequest, shownApproval } from "./shown-approval.js";

export interface AwaitOptions {
  /** 0 to look only. */
  readonly waitMs?: number;
  /** The call goes on with what was decided: its row is for whoever calls. */
  readonly isPart?: boolean | undefined;
  /** Ends the wait: nobody hears its answer. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the wait as if its time were over. */
  readonly draining?: AbortSignal | undefined;
  /** Called every 10 s while it waits. */
  readonly onWaiting?: ((secondsLeft: number) => void) | undefined;
}

/** How long a wait leaves a store alone that could not be reached. */
const awayMs = 500;

/**
 * A request of the caller as it is once it is decided, has expired, or the time is over. Sleeps on hints: whatever was
 * missed, by us or by the store, is seen when it looks again.
 *
 * @throws {MailboxError} `approval.unknown`, also for a request of somebody else; `access.denied`
 */
export async function awaitApproval(
  context: ApprovalContext,
  caller: Caller,
  id: string,
  { waitMs = 0, isPart = false, signal, draining, onWaiting }: AwaitOptions = {},
): Promise<Approval> {
  const { deps, limits } = context;
  const admission = await deps.admit(caller, "policy.check", "*");
  let isRecorded = isPart;
  const look = async (): Promise<ReadRequest> => {
    const found = await ownRequest(context, caller, id);
    // What is another's leaves the row of its refusal instead.
    if (!isRecorded) await deps.record(caller, admission);
    isRecorded = true;
    return found;
  };
  if (waitMs <= 0) return shownApproval(await look());
  const wake = new Wake({ until: performance.now() + waitMs, signals: [signal, draining], tell: onWaiting });
  const stop = await deps.hints.listen(approvalKeys(caller.principal.namespace).channel, (message) => {
    if (message === id || message === "") wake.now();
  });
  try {
    for (;;) {
      wake.rest();
      const left = wake.until - performance.now();
      const found = await look().catch((error: unknown) => {
        // While the store is away nothing is decided; whoever waits need not begin again for it.
        if (!isRefusal(error, "store.unavailable") || left <= 0 || signal?.aborted || draining?.aborted)
          throw error;
      });
      if (!found) {
        await wake.sleep(performance.now() + awayMs);
        continue;
      }
      if (found.request.state !== "pending" || left <= 0 || signal?.aborted || draining?.aborted)
        return shownApproval(found);
      const expiresInMs = found.request.expiresAt - deps.store.now() + 5;
      await wake.sleep(performance.now() + Math.max(Math.min(limits.lookAgainMs, expiresInMs), 1));
    }
  } finally {
    stop();
    wake.end();
  }
}

async function ownRequest(context: ApprovalContext, caller: Caller, id: string): Promise<ReadRequest> {
  const { namespace, agent } = caller.principal;
  const found = await findRequest(context, namespace, id);
  return found?.request.agent === agent ? found : refuse("approval.unknown", { approval_id: plainId(id) });
}
