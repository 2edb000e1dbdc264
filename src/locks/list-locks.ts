import { covers, parseResource, type Resource } from "../addresses/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { agentOf } from "./agent-of.js";
import type { LockContext } from "./context.js";
import type { ListedLock, ListLocks, LockList, Mode } from "./contract.js";
import { isGuardRun } from "./guard-run.js";
import { comesBefore } from "./order.js";
import { stateInWords } from "./state-in-words.js";
import { whoseRun } from "./whose-run.js";

const listLocksScript = loadScript(import.meta.url, "list-locks.lua");

/** How many conflicts and locks one look tells of. */
const mostListed = 200;

interface Row {
  readonly id: string;
  readonly run: string;
  readonly mode: Mode;
  readonly state: string;
  readonly token: number;
  readonly endsAt: number;
  readonly arrivedAt: number;
  readonly priority: number;
  readonly passedOver: boolean;
  readonly resources: readonly Resource[];
}

/** Who holds and who waits, of what the caller may see; with a resource, what would conflict with it. */
export async function listLocks(context: LockContext, caller: Caller, input: ListLocks): Promise<LockList> {
  const resource = input.resource === undefined ? undefined : parseResource(input.resource);
  const { namespace } = caller.principal;
  const asked = resource === undefined ? "*" : `lock:${resource}`;
  await context.deps.record(caller, await context.deps.admit(caller, "lock.read", asked));
  const { rows, total } = await rowsOf(context, namespace, resource === undefined ? [] : [resource]);
  const may = await context.deps.rightsOf(caller);
  const seen = rows.filter(({ resources }) => resources.every((one) => may("lock.read", `lock:${one}`)));
  return {
    holders: seen.filter(({ state }) => state !== "waiting").map((row) => holderOf(row, caller)),
    waiters: seen
      .filter(({ state }) => state === "waiting")
      .sort((a, b) => (comesBefore(a, b, context.limits.ageingMs) ? -1 : 1))
      .map((row) => ({
        ticket: row.id,
        agent: agentOf(row.run),
        mode: row.mode,
        priority: row.priority,
        since: new Date(row.arrivedAt).toISOString(),
        passed_over: row.passedOver,
        ...ownOf(row, caller),
        resources: row.resources,
      })),
    more: Math.max(total - rows.length, 0),
  };
}

/** A lock that overlaps what somebody asks about. */
export interface Conflict extends ListedLock {
  /** An edit hook has it. */
  readonly ofHook: boolean;
  /** The caller's run has it. */
  readonly ofCaller: boolean;
}

/** What is had of these resources, by the caller's run as well; nothing is taken and nobody queues. */
export async function conflictsOf(
  context: LockContext,
  caller: Caller,
  resources: readonly Resource[],
  mode: Mode,
): Promise<readonly Conflict[]> {
  const { rows } = await rowsOf(context, caller.principal.namespace, resources);
  return rows
    .filter((row) => row.state !== "waiting" && (mode === "exclusive" || row.mode === "exclusive"))
    .map((row) => ({
      ...holderOf(row, caller),
      ofHook: isGuardRun(row.run),
      ofCaller: row.run === caller.run.id,
    }));
}

/**
 * What others have around a resource, and whether that is all: a look lists so many.
 *
 * @returns what stands in the way of the caller's agent, also what rests; that which its own runs have is left out
 */
export async function othersAround(
  context: LockContext,
  caller: Caller,
  resource: Resource,
): Promise<{ readonly holders: LockList["holders"]; readonly isWhole: boolean }> {
  const { namespace, agent } = caller.principal;
  const { rows, total } = await rowsOf(context, namespace, [resource], agent);
  const holders = rows.filter(({ state }) => state !== "waiting").map((row) => holderOf(row, caller));
  // Those that wait come last, so that none is missed where only they are.
  return { holders, isWhole: total <= rows.length || holders.length < rows.length };
}

/** A live lease. */
export interface CurrentLease {
  readonly lockId: string;
  readonly token: number;
  readonly mode: Mode;
  /** By the store's clock, ms: no write under this lease may take effect later. */
  readonly expiresAt: number;
}

/** The lease by which a run holds a resource now, exclusive before shared, then the newest; undefined when it holds none. */
export async function leaseOf(
  context: LockContext,
  caller: Caller,
  resource: Resource,
): Promise<CurrentLease | undefined> {
  const { rows } = await rowsOf(context, caller.principal.namespace, [resource]);
  const covering = rows
    .filter(
      (row) =>
        row.state === "held" &&
        row.run === caller.run.id &&
        row.resources.some((own) => covers(own, resource)),
    )
    .sort((a, b) => b.token - a.token);
  const row = covering.find(({ mode }) => mode === "exclusive") ?? covering[0];
  return row && { lockId: row.id, token: row.token, mode: row.mode, expiresAt: row.endsAt };
}

async function rowsOf(
  context: LockContext,
  namespace: string,
  resources: readonly Resource[],
  except = "",
): Promise<{ readonly rows: readonly Row[]; readonly total: number }> {
  const args = [mostListed, except, ...resources];
  const [, total, , flat] = await context.look(namespace, listLocksScript, args, 2);
  const words = flat as readonly string[];
  const rows: Row[] = [];
  for (let n = 0; n + 9 < words.length; n += 10)
    rows.push({
      id: words[n]!,
      run: words[n + 1]!,
      mode: words[n + 2] === "s" ? "shared" : "exclusive",
      state: words[n + 3]!,
      token: Number(words[n + 4]),
      endsAt: Number(words[n + 5]),
      arrivedAt: Number(words[n + 6]),
      priority: Number(words[n + 7]),
      passedOver: words[n + 8] === "1",
      resources: words[n + 9]!.split("\n") as Resource[],
    });
  return { rows, total: Number(total) };
}

function ownOf({ run }: Row, caller: Caller): Pick<ListedLock, "own"> {
  return agentOf(run) === caller.principal.agent ? { own: whoseRun(run, caller) } : {};
}

function holderOf(row: Row, caller: Caller): LockList["holders"][number] {
  return {
    lock_id: row.id,
    agent: agentOf(row.run),
    mode: row.mode,
    state: stateInWords(row.state),
    ...ownOf(row, caller),
    resources: row.resources,
    until: new Date(row.endsAt).toISOString(),
  };
}
