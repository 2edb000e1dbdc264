import { covers, parseResource, type Resource } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { Caller, Rights } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { agentOf } from "./agent-of.js";
import type { LockContext } from "./context.js";
import type { ListedLock, ListLocks, LockList, Mode } from "./contract.js";
import { isGuardRun } from "./guard-run.js";
import { comesBefore } from "./order.js";
import { modeInWords, stateInWords } from "./state-in-words.js";
import { whoseRun } from "./whose-run.js";

const listLocksScript = loadScript(import.meta.url, "list-locks.lua");

/** How many conflicts and locks one look tells of. */
const mostListed = 200;
/**
 * How many one look takes where all are looked at: the store serves others in between. Each begins so far before the end of
 * the last one, because what was given back meanwhile moves all others on.
 */
const mostAtOnce = 250;
const againAtOnce = 25;

export interface Row {
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

/**
 * Who holds and who waits, of what the caller may see; with a resource, what would conflict with it. What it may not see
 * counts for nothing: the list is cut, and the rest of it counted, when that is left out.
 *
 * @throws {MailboxError} `access.denied`, also where it may not see all that the resource means; `lock.resource_invalid`,
 *   `lock.too_wide`
 */
export async function listLocks(context: LockContext, caller: Caller, input: ListLocks): Promise<LockList> {
  const resource = input.resource === undefined ? undefined : parseResource(input.resource);
  const asked = resource === undefined ? "*" : `lock:${resource}`;
  await context.deps.record(caller, await context.deps.admit(caller, "lock.read", asked));
  return visibleLocks(context, caller, resource);
}

/** What a list shows, for whoever was let look or had its row already. */
export async function visibleLocks(
  context: LockContext,
  caller: Caller,
  resource: Resource | undefined,
): Promise<LockList> {
  const { rows, more } = await visibleRows(context, caller, resource === undefined ? [] : [resource]);
  const seen = rows.slice(0, mostListed);
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
    more: more + rows.length - seen.length,
  };
}

/** What the caller may see, all of it where there is something that it may not, and how many more there are. */
async function visibleRows(
  context: LockContext,
  caller: Caller,
  resources: readonly Resource[],
): Promise<{ readonly rows: readonly Row[]; readonly more: number }> {
  const { namespace } = caller.principal;
  const may = await context.deps.rightsOf(caller);
  if (may("lock.read", "lock:**")) {
    const { rows, total } = await rowsOf(context, namespace, resources);
    return { rows, more: Math.max(total - rows.length, 0) };
  }
  const { rows } =
    resources.length > 0
      ? await rowsOf(context, namespace, resources, { most: context.limits.requests })
      : { rows: await allRows(context, namespace) };
  return { rows: rows.filter((row) => maySee(may, row)), more: 0 };
}

/** All that there is. */
export async function allRows(context: LockContext, namespace: string): Promise<readonly Row[]> {
  const all = new Map<string, Row>();
  for (let passed = 0; ; passed += mostAtOnce - againAtOnce) {
    const { rows, looked } = await rowsOf(context, namespace, [], { most: mostAtOnce, passed });
    for (const row of rows) all.set(row.id, row);
    if (looked < mostAtOnce) return [...all.values()];
  }
}

export function maySee(may: Rights, { resources }: Row): boolean {
  return resources.every((one) => may("lock.read", `lock:${one}`));
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
  const { rows, total } = await rowsOf(context, namespace, [resource], { except: agent });
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
  {
    except = "",
    most = mostListed,
    passed = 0,
  }: { readonly except?: string; readonly most?: number; readonly passed?: number } = {},
): Promise<{ readonly rows: readonly Row[]; readonly total: number; readonly looked: number }> {
  const args = [most, except, passed, ...resources];
  const [word, total, , flat, looked] = await context.look(namespace, listLocksScript, args, 2);
  if (word === "WIDE") refuse("lock.too_wide");
  const words = flat as readonly string[];
  const rows: Row[] = [];
  for (let n = 0; n + 9 < words.length; n += 10)
    rows.push({
      id: words[n]!,
      run: words[n + 1]!,
      mode: modeInWords(words[n + 2]!),
      state: words[n + 3]!,
      token: Number(words[n + 4]),
      endsAt: Number(words[n + 5]),
      arrivedAt: Number(words[n + 6]),
      priority: Number(words[n + 7]),
      passedOver: words[n + 8] === "1",
      resources: words[n + 9]!.split("\n") as Resource[],
    });
  return { rows, total: Number(total), looked: Number(looked) };
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
