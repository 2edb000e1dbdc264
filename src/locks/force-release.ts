import { refuse } from "../errors/index.js";
import { type Admission, alsoBecause, type Caller, refusedRow, rowAbout } from "../identity/index.js";
import { loadScript, lockKeys } from "../redis/index.js";
import { agentOf } from "./agent-of.js";
import type { LockContext } from "./context.js";
import type { Force, LockNews } from "./contract.js";
import { newLockId } from "./lock-id.js";
import { type NamedCall, unnamed } from "./named-call.js";
import { plainId } from "./plain-id.js";

const forceReleaseLock = loadScript(import.meta.url, "force-release-lock.lua");

const mostNotes = 1_000;

/** What was taken from somebody, by whom and why. */
export interface ForcedRelease {
  readonly at: number;
  readonly by: string;
  readonly lockId: string;
  readonly agent: string;
  readonly reason: string;
  readonly resources: readonly string[];
}

/** How long whoever lost something can be told why. */
const toldForMs = 86_400_000;

/** How long our own repetition of a release that has no key finds what the first one did. */
export const retryMs = 60_000;

/**
 * Takes a lease, an offer or a place in the queue from whoever has it. Its run is told with its next reply; who did it
 * and why is written down in the same step. The audit rows name what was released, its id and whose it was: by the id the
 * reason is found in the list of what was released by force. Where there is nothing of that id, a row says so.
 *
 * @returns the agent that had it and whose turn it is now; undefined when there is nothing of that id
 * @throws {MailboxError} `access.denied`, without a look at what there is; `lock.idempotency_conflict`
 */
export async function forceRelease(
  context: LockContext,
  caller: Caller,
  id: string,
  reason: string,
  { operation, digest }: NamedCall = unnamed,
): Promise<
  { readonly agent: string; readonly next: readonly string[]; readonly replayed: boolean } | undefined
> {
  const admission = await context.deps.admit(caller, "admin.locks", "*");
  const [word, replayed, run, ...next] = await context.run(caller.principal.namespace, forceReleaseLock, [
    id,
    caller.principal.agent,
    Buffer.from(reason).toString("base64url"),
    newLockId(),
    mostNotes,
    await releaseRows(context, caller, id, admission),
    refusedRow(admission, `nothing to release: ${plainId(id)}`),
    operation,
    digest,
    operation === "" ? retryMs : context.limits.idempotencyMs,
    toldForMs,
  ]);
  if (word === "CONFLICT") refuse("lock.idempotency_conflict");
  if (word === "UNKNOWN") return undefined;
  return { agent: agentOf(String(run)), next: next as string[], replayed: replayed === "1" };
}

/**
 * Adds to what is lost by whom and why it was taken, where it was taken by force within a day. One store command where
 * something is lost, and none otherwise.
 */
export async function withForce(
  context: LockContext,
  { principal: { namespace } }: Caller,
  news: readonly LockNews[],
): Promise<readonly LockNews[]> {
  const lost = news.filter(isLoss);
  if (lost.length === 0) return news;
  const { operations } = lockKeys(namespace);
  const fields = lost.map(({ id }) => `forced ${id}`);
  let notes: readonly (string | null)[];
  try {
    notes = (await context.deps.store.command("HMGET", operations, ...fields)) as (string | null)[];
  } catch {
    // That it is lost is what matters.
    return news;
  }
  const forces = new Map(lost.map(({ id }, n) => [id, forceIn(notes[n])]));
  return news.map((one) => {
    const force = isLoss(one) ? forces.get(one.id) : undefined;
    return force ? { ...one, force } : one;
  });
}

function isLoss(news: LockNews): news is Extract<LockNews, { readonly id: string }> {
  return "id" in news && /^(place )?lost/.test(news.what);
}

function forceIn(note: string | null | undefined): Force | undefined {
  const [, , by, reason] = note?.split("|") ?? [];
  return by === undefined || reason === undefined
    ? undefined
    : { by, reason: Buffer.from(reason, "base64url").toString() };
}

/** What a request asks for and whose it is never changes, so both can be looked at before it is taken. */
async function releaseRows(
  context: LockContext,
  caller: Caller,
  id: string,
  admission: Admission,
): Promise<string> {
  const { requests } = lockKeys(caller.principal.namespace);
  const request = (await context.deps.store.command("HGET", requests, id)) as string | null;
  const [head = "", ...resources] = (request ?? "").split("\n");
  const { row } = alsoBecause(admission, `${plainId(id)} of ${agentOf(head)}`);
  return resources.map((resource) => rowAbout(row, `lock:${resource}`)).join("\n") || row;
}

/**
 * What was released by force, newest first.
 *
 * @param before only older ones than that of this lock or ticket
 * @returns undefined when nothing of that id is noted
 */
export async function listForced(
  context: LockContext,
  caller: Caller,
  most: number,
  before?: string,
): Promise<readonly ForcedRelease[] | undefined> {
  await context.deps.record(caller, await context.deps.admit(caller, "admin.locks", "*"));
  const { forced } = lockKeys(caller.principal.namespace);
  const notes = (await context.deps.store.command(
    "LRANGE",
    forced,
    0,
    before === undefined ? most - 1 : -1,
  )) as string[];
  const all = notes.map(readNote);
  if (before === undefined) return all;
  const at = all.findIndex(({ lockId }) => lockId === before);
  return at < 0 ? undefined : all.slice(at + 1, at + 1 + most);
}

function readNote(note: string): ForcedRelease {
  const [head, ...resources] = note.split("\n");
  const [at, by, lockId, run, reason] = head!.split("|");
  return {
    at: Number(at),
    by: by!,
    lockId: lockId!,
    agent: agentOf(run!),
    reason: Buffer.from(reason!, "base64url").toString(),
    resources,
  };
}
