import { covers, isResourcePattern, overlaps, parseResource, type Resource } from "../addresses/index.js";
import { isRefusal, MailboxError } from "../errors/index.js";
import {
  type Action,
  type Admission,
  type Caller,
  type Rights,
  type RunId,
  rowAbout,
} from "../identity/index.js";
import { acquireLock } from "./acquire-lock.js";
import type { LockContext } from "./context.js";
import type { ListedLock } from "./contract.js";
import type {
  GuardFiles,
  GuardFindings,
  LostFile,
  RefusedFile,
  ReservedFile,
  WantedFile,
} from "./guard-contract.js";
import { type HadSince, hadSince } from "./had-since.js";
import { type Conflict, conflictsOf, othersAround, visibleLocks } from "./list-locks.js";
import { releaseLock } from "./release-lock.js";
import { unnamedFile } from "./unnamed-file.js";
import { lookAtToken, staleInWords } from "./verify-token.js";

const filesAtOnce = 100;

/** One file: by which name it is locked, where it has one. */
interface File {
  readonly path: string;
  readonly resource: Resource;
  /** That the caller may know whether it is reserved. */
  readonly admission: Admission;
}

export interface GuardOptions {
  /** Reserves what is free for the caller's run. */
  readonly takeSeconds?: number;
  /** Tokens that are to hold what they are for. */
  readonly tokens?: GuardFiles["tokens"];
  /** Told of each file about which the caller was refused. */
  readonly onRefused?: (resource: string, error: MailboxError) => Promise<void>;
}

/**
 * Tells which files another agent has reserved, by their names or by a pattern; with `takeSeconds` reserves the others,
 * or prolongs that. Nobody queues: what is not free at once is told. What the caller's agent holds in another run of its
 * is free for it, and reserved for the caller's besides, so that it stays reserved until the last of them gives it back.
 * What rests after it was lost is free for nobody, whoever lost it, but where a run of the agent still holds it by another lease.
 * Where others wait for it already, it stays with that run: the edit passes, unless that run is an edit hook of another session.
 *
 * What the caller's run had lost, by its time or by force, is told when it is reserved for it again, or may be edited because
 * another run of its agent holds it, unless nobody else was granted anything meanwhile.
 *
 * What any run of its agent lost, and another agent was granted since, is refused until a run of the agent takes it again, for
 * a day at the longest; an edit that takes it is told so once, and one that cannot take it, having a name no lock can have, is refused.
 *
 * Each file leaves the row of what was decided about it: that it was refused, taken, or looked at and no more.
 *
 * A file whose name no lock can have is compared with every pattern that may mean it, of locks and of grants.
 *
 * @throws {MailboxError} `store.*` when the store does not answer; what else is refused is told of the file it is about
 */
export async function guardFiles(
  context: LockContext,
  caller: Caller,
  paths: readonly string[],
  options: GuardOptions = {},
): Promise<GuardFindings> {
  const may = await context.deps.rightsOf(caller);
  const found = new Found(options, may);
  for (const one of options.tokens ?? []) await checkToken(context, caller, one, found);
  const named: File[] = [];
  for (const path of paths) {
    const resource = resourceOf(path);
    const { around, name } = resource ? { around: resource, name: resource } : unnamedFile(path);
    const lock = `lock:${around}`;
    const admission = await admittedToLook(context, caller, `lock:${name}`);
    if (!admission) await found.refuse(path, lock, deniedTo(caller, "lock.read", lock));
    else if (resource) named.push({ path, resource, admission });
    // It cannot be reserved, which is no way around what may not be.
    else if (options.takeSeconds !== undefined && !may("lock.acquire", `lock:${name}`))
      await found.refuse(path, lock, deniedTo(caller, "lock.acquire", lock));
    else {
      const since = await lookAround(context, caller, path, found);
      if (since) await found.refuse(path, lock, lostSince(since));
      else found.onlyLooked({ row: rowAbout(admission.row, lock) });
    }
  }
  try {
    for (let n = 0; n < named.length; n += filesAtOnce)
      await lookAt(context, caller, named.slice(n, n + filesAtOnce), found);
  } finally {
    // The next hook may ask another process, and no reply tells this run of its locks.
    context.forget(caller.run.id);
  }
  await found.record(context, caller);
  const known = ({ agent, ...file }: ReservedFile): ReservedFile =>
    agent !== undefined && may("lock.read", nameOf(file.path)) ? { ...file, agent } : file;
  return { ...found.findings, reserved: found.reserved.map(known) };
}

/** That the caller may know whether something is reserved: whoever may lock it finds out by that. */
async function admittedToLook(
  context: LockContext,
  caller: Caller,
  resource: string,
): Promise<Admission | undefined> {
  for (const action of ["lock.read", "lock.acquire"] as const)
    try {
      return await context.deps.admit(caller, action, resource);
    } catch (error) {
      if (!isRefusal(error, "access.denied")) throw error;
    }
  return undefined;
}

/** What was found so far. */
class Found {
  readonly reserved: ReservedFile[] = [];
  readonly wanted: WantedFile[] = [];
  readonly refused: RefusedFile[] = [];
  readonly lost: LostFile[] = [];
  readonly untold: string[] = [];
  readonly unnameable: string[] = [];
  readonly options: GuardOptions;
  /** Of what was neither taken nor refused, which leaves a row in another way. */
  readonly #looks: Admission[] = [];
  readonly #may: Rights;

  constructor(options: GuardOptions, may: Rights) {
    this.options = options;
    this.#may = may;
  }

  /** Who had a file, as far as the caller may know. */
  had(path: string, { by, ...when }: HadSince): HadSince {
    return { by: this.#may("lock.read", nameOf(path)) ? by : "another agent", ...when };
  }

  async refuse(path: string, resource: string, error: MailboxError): Promise<void> {
    await this.options.onRefused?.(resource, error);
    this.refused.push({ path, code: error.code, message: error.message });
  }

  onlyLooked(admission: Admission): void {
    this.#looks.push(admission);
  }

  async record({ deps }: LockContext, caller: Caller): Promise<void> {
    if (this.#looks.length > 0)
      await deps.record(caller, { row: this.#looks.map(({ row }) => row).join("\n") });
  }

  get findings(): GuardFindings {
    const { reserved, wanted, refused, lost, untold, unnameable } = this;
    const { length: tokens } = this.options.tokens ?? [];
    return {
      ...{ reserved, wanted, refused },
      ...(lost.length > 0 && { lost }),
      ...(tokens > 0 && { tokens }),
      ...{ untold, unnameable },
    };
  }
}

/** Whether a token holds what it is for now, as what is written under it is asked; of what it does not hold, who had it since. */
async function checkToken(
  context: LockContext,
  caller: Caller,
  { resource: given, fencing_token: token }: NonNullable<GuardFiles["tokens"]>[number],
  found: Found,
): Promise<void> {
  const { agent, namespace } = caller.principal;
  try {
    // Without a run: an agent that was never here has no mailbox to record the look by.
    const nobody = { ...caller, run: { id: "" as RunId } };
    const { verdict, admission } = await lookAtToken(context, nobody, given, token);
    if (verdict.valid && verdict.agent === agent) {
      found.onlyLooked(admission);
      return;
    }
    const [since] = await hadSince(context, namespace, agent, [parseResource(given)]);
    const because = verdict.valid
      ? `it is ${verdict.agent}'s`
      : `${staleInWords(verdict)}${since && since.by !== verdict.holder ? `, and ${since.by} got it at ${since.since}` : ""}`;
    await found.refuse(
      given,
      `lock:${parseResource(given)}`,
      new MailboxError("lock.token_refused", { token, because }),
    );
  } catch (error) {
    if (!isRefusal(error) || isAway(error)) throw error;
    await found.refuse(given, "*", error);
  }
}

/** Looks who has a file that no lock can be named for; who had it since its agent lost it, it leaves to the caller to refuse. */
async function lookAround(
  context: LockContext,
  caller: Caller,
  path: string,
  found: Found,
): Promise<HadSince | undefined> {
  found.unnameable.push(path);
  const { around, name } = unnamedFile(path);
  const { holders, isWhole } = await othersAround(context, caller, around);
  const meant = holders.filter(({ resources }) =>
    resources.some((resource) => overlaps(resource as Resource, name)),
  );
  const { namespace, agent } = caller.principal;
  const [since] = await hadSince(context, namespace, agent, [name]);
  const isHeld =
    (since !== undefined || meant.some(({ state }) => state === "resting")) &&
    (await holdsAll(context, caller, around, name));
  const other = inTheWayOf(caller, meant, isHeld);
  if (other) found.reserved.push(reservedFile(path, other));
  else if (since && !isHeld) return found.had(path, since);
  else if (!isWhole) found.untold.push(path);
  return undefined;
}

/** Whether a run of the agent holds all that a file can be. */
async function holdsAll(
  context: LockContext,
  caller: Caller,
  around: Resource,
  name: Resource,
): Promise<boolean> {
  const all = await conflictsOf(context, caller, [around], "exclusive");
  return all.some(
    (one) => isHeldByRun(caller, one) && one.resources.some((resource) => covers(resource as Resource, name)),
  );
}

async function lookAt(
  context: LockContext,
  caller: Caller,
  files: readonly File[],
  found: Found,
): Promise<void> {
  const all = files.map(({ resource }) => resource);
  const standing = await conflictsOf(context, caller, all, "exclusive");
  const { namespace, agent } = caller.principal;
  const had = await hadSince(context, namespace, agent, all);
  const isAlone = standing.every(({ ofCaller, state }) => ofCaller && state !== "resting");
  for (const [n, file] of files.entries()) {
    const { path, resource, admission } = file;
    // One look at all tells whether others have anything; which file it is about is asked only then.
    const holders = isAlone ? standing : await conflictsOf(context, caller, [resource], "exclusive");
    const isHeld = holders.some((one) => isHeldByRun(caller, one));
    const other = inTheWayOf(caller, holders, isHeld);
    const since = had[n] && !isHeld ? found.had(path, had[n]) : undefined;
    if (other) {
      found.reserved.push(reservedFile(path, other));
      found.onlyLooked(admission);
    } else if (since && found.options.takeSeconds === undefined)
      await found.refuse(path, `lock:${resource}`, lostSince(since));
    else
      await take(context, caller, file, found, {
        isHeld,
        ...(since && { since }),
        mayHold: holders.some(
          ({ ofCaller, resources }) =>
            ofCaller && resources.some((own) => overlaps(own as Resource, resource)),
        ),
      });
  }
}

/** A hook of another session gives it back with that one's turn; what a run holds may be held for this very session. */
function isHeldByRun({ principal }: Caller, { agent, ofHook, state, mode }: Conflict): boolean {
  return agent === principal.agent && !ofHook && state === "held" && mode === "exclusive";
}

/**
 * Reserves a file, or prolongs that by asking again; what somebody else got a moment earlier is not queued for.
 *
 * @param isHeld whether a run of the agent holds it, so that it may be edited whatever comes of this
 * @param since who had it since a run of the agent lost it: told once, where it is reserved again
 * @param mayHold whether the session itself was seen to hold it: then the rules are not asked again
 */
async function take(
  context: LockContext,
  caller: Caller,
  { path, resource, admission }: File,
  found: Found,
  {
    isHeld,
    mayHold,
    since,
  }: { readonly isHeld: boolean; readonly mayHold: boolean; readonly since?: HadSince },
): Promise<void> {
  const seconds = found.options.takeSeconds;
  if (seconds === undefined) return found.onlyLooked(admission);
  try {
    const wish = { resources: [resource], lease_seconds: seconds };
    const answer = await acquireLock(context, caller, wish, { isHeld, mayHold });
    if (since && answer.state !== "queued")
      found.lost.push({ path, lost_at: since.lostAt, agent: since.by, since: since.since });
    else if (answer.lost_at !== undefined) found.lost.push({ path, lost_at: answer.lost_at });
    if (answer.state !== "queued") return;
    await releaseLock(context, caller, { ticket: answer.ticket! });
    const holder = inTheWayOf(caller, answer.holders ?? [], isHeld);
    if (holder) found.reserved.push(reservedFile(path, holder));
    else if ((answer.holders ?? []).length === 0 && !isHeld && answer.lost_at === undefined)
      found.wanted.push({ path, ...(await whoWants(context, caller, resource)) });
  } catch (error) {
    if (!isRefusal(error) || isAway(error)) throw error;
    if (isHeld && error.code.startsWith("lock.")) return found.onlyLooked(admission);
    await found.refuse(path, `lock:${resource}`, error);
  }
}

function lostSince({ lostAt, by, since }: HadSince): MailboxError {
  return new MailboxError("lock.lost_since", { lost_at: lostAt, by, since });
}

/** Who waits for a resource that no other agent has, before the caller would; of what the caller may not see, nothing. */
async function whoWants(
  context: LockContext,
  caller: Caller,
  resource: Resource,
): Promise<Omit<WantedFile, "path">> {
  const may = await context.deps.rightsOf(caller);
  if (!may("lock.read", `lock:${resource}`)) return {};
  const { waiters } = await visibleLocks(context, caller, resource);
  const [first] = othersOf(
    caller,
    waiters.filter(({ passed_over }) => !passed_over),
  );
  if (!first) return {};
  const rest = first.resources.map((one) => parseResource(one));
  const inTheWay = (await conflictsOf(context, caller, rest, first.mode)).find(
    ({ agent, ofCaller }) => agent !== first.agent && !ofCaller,
  );
  const resourceOfIt =
    inTheWay && rest.find((one) => inTheWay.resources.some((other) => overlaps(other as Resource, one)));
  return {
    agent: first.agent,
    ...(inTheWay && resourceOfIt
      ? { waits_for: { resource: resourceOfIt, agent: inTheWay.agent, until: inTheWay.until } }
      : {}),
  };
}

type Standing = Pick<ListedLock, "agent" | "state" | "until">;

/**
 * What keeps the caller off: another agent's, or what rests, whoever lost it.
 *
 * @param isHeld whether a run of its agent holds it: what that agent lost of it besides, nobody else can have had
 */
function inTheWayOf({ principal }: Caller, all: readonly Standing[], isHeld: boolean): Standing | undefined {
  return all.find(({ agent, state }) => (state === "resting" && !isHeld) || agent !== principal.agent);
}

function reservedFile(path: string, { agent, state, until }: Standing): ReservedFile {
  return { path, agent, until, ...(state === "resting" && { rests: true as const }) };
}

function othersOf<One extends Pick<ListedLock, "agent">>(
  { principal }: Caller,
  all: readonly One[],
): readonly One[] {
  return all.filter(({ agent }) => agent !== principal.agent);
}

/**
 * The name by which a file is locked. One that reads as a pattern has none: to lock it would be to lock what it matches.
 * Nor has one that begins or ends with a blank, which every lock loses: that is another file's.
 */
function resourceOf(path: string): Resource | undefined {
  if (path !== path.trim()) return undefined;
  try {
    const resource = parseResource(path);
    return isResourcePattern(resource) ? undefined : resource;
  } catch (error) {
    if (isRefusal(error, "lock.resource_invalid")) return undefined;
    throw error;
  }
}

/** What the rights to a file are asked by: its own name, also where no lock can have that. */
function nameOf(path: string): string {
  return `lock:${resourceOf(path) ?? unnamedFile(path).name}`;
}

/** The store did not answer, which is another thing than its answer. */
function isAway({ code }: MailboxError): boolean {
  return code === "store.unavailable" || code === "store.outcome_unknown";
}

function deniedTo({ principal }: Caller, action: Action, resource: string): MailboxError {
  return new MailboxError("access.denied", { principal: principal.agent, action, resource });
}
