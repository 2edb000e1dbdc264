import type { Admission, Caller, RecordDecision } from "../identity/index.js";
import type { MyStatus, Status } from "./contract.js";
import type { Directory } from "./directory.js";
import type { Runs } from "./runs.js";

export interface StatusSources {
  readonly directory: Directory;
  readonly runs: Runs;
  readonly inbox: (
    caller: Caller,
  ) => Promise<Pick<Status, "unread" | "urgent" | "open" | "overdue" | "dead_letters">>;
  readonly subscriptions: (caller: Caller) => Promise<readonly string[]>;
  readonly budgets: (caller: Caller) => Promise<Status["budgets"]>;
  /** Keeps the decision where nothing is changed. */
  readonly record: RecordDecision;
  readonly locks: (caller: Caller) => Promise<NonNullable<Status["locks"]>>;
  /** How many requests wait for the caller's decision. */
  readonly approvals: (caller: Caller) => Promise<number>;
  /** What the caller's calls are decided by. */
  readonly roles: (caller: Caller) => Promise<Status["rights"]>;
  readonly store: { readonly label: string; readonly tier: string };
}

/** Who the caller is here and what waits for it; sets what others see of it when that is given. */
export async function myStatus(
  sources: StatusSources,
  caller: Caller,
  input: MyStatus,
  admission: Admission,
): Promise<Status> {
  const describes = input.describe !== undefined || input.capabilities !== undefined;
  if (describes) await sources.directory.describe(caller, input.describe, input.capabilities, admission);
  else await sources.record(caller, admission);
  const { principal, run } = caller;
  const [inbox, runs, subscriptions, rights, budgets, locks, approvals] = await Promise.all([
    sources.inbox(caller),
    sources.runs.ofAgent(principal.agent),
    sources.subscriptions(caller),
    sources.roles(caller),
    sources.budgets(caller),
    sources.locks(caller),
    sources.approvals(caller),
  ]);
  return {
    name: principal.agent,
    namespace: principal.namespace,
    verified: principal.verified,
    run: run.id.slice(run.id.indexOf("/") + 1),
    other_runs: runs.filter((other) => other !== run.id).length,
    rights,
    ...inbox,
    subscriptions,
    budgets,
    ...(locks.held.length + locks.waiting.length > 0 && { locks }),
    ...(approvals > 0 && { approvals }),
    store: sources.store.label,
    tier: sources.store.tier,
  };
}
