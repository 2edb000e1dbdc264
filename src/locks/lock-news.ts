import { isRefusal } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import type { LockContext } from "./context.js";
import type { LockNews, NewsOfLock } from "./contract.js";
import { hasCome, inMs } from "./due-time.js";
import { earlierLosses } from "./earlier-losses.js";
import { withForce } from "./force-release.js";
import { type KnownLease, type KnownWait, type LeaseMemory, lostLease } from "./lease-memory.js";
import { type Standing, touchLeases } from "./standings.js";
import { withRest } from "./with-rest.js";

/** A lease is near its end when this much of it is left, or a quarter of it if that is less. */
const nearEndMs = 120_000;

/** A lease that is near its end is looked at after half of what is left, and not sooner than that. */
const soonestMs = 200;

/** How much one reply names, each in a whole line. What earlier runs lost is bounded where it is noted. */
const mostTold = 20;

/**
 * What every call of a run does last: it prolongs leases of which less than half is left, unless their run may not lock that
 * any more, and tells once what the run
 * lost, what ends soon although it was prolonged, and whether its turn came; and first, what earlier runs of its agent lost
 * with their end. It names so much at once, what is lost before anything else; what is left is told by the next call, and
 * until then counts as not told. No store command while there is nothing, but one at the first reply of the run, and one in a
 * minute at most while no other run of its agent has anything.
 */
export async function lockNews(context: LockContext, caller: Caller): Promise<readonly LockNews[]> {
  const kept = context.known(caller)?.kept.splice(0, mostTold) ?? [];
  const news: LockNews[] = kept.length > 0 ? kept : [...(await earlierLosses(context, caller))];
  const memory = context.known(caller);
  if (!memory) return withForce(context, caller, news);
  if (memory.circle && !memory.circle.isTold) {
    memory.circle.isTold = true;
    const { inWords: circle, byOwnHook } = memory.circle;
    news.push({ what: "circle", circle, ...(byOwnHook && { own_edit_hook: true }) });
  }
  try {
    if (!memory.isEmpty)
      news.push(...(await newsOfOwn(context, caller, memory, Math.max(mostTold - news.length, 0))));
  } catch (error) {
    memory.kept.unshift(...news);
    throw error;
  }
  return withForce(
    context,
    caller,
    news.flatMap((one, n) => (n < kept.length ? asItIsNow(one, memory) : [one])),
  );
}

/** What was told in vain, by what became of it since. */
function asItIsNow(news: LockNews, memory: LeaseMemory): readonly LockNews[] {
  if (news.what === "elsewhere" && memory.resourcesOf(news.id)) return [];
  if (news.what !== "lost") return [news];
  const { still_under: still, again_under: _, ...lost } = news;
  const leases = [...memory.leases.values()].filter(({ isDoubtful }) => !isDoubtful);
  return [leases.some(({ id }) => id === still) ? news : withRest(lost, leases, 0)];
}

/** That a reply with these news did not reach its client: the next one tells them, where they are still so. */
export function keepNews(context: LockContext, caller: Caller, news: readonly LockNews[]): void {
  const memory = context.memory(caller);
  for (const one of news) {
    if (one.what === "circle") memory.untellCircle();
    else if (one.what === "ends soon" || one.what === "your turn" || one.what === "passed over")
      memory.untell(one.id);
    else if (one.what !== "more lost") memory.kept.push(one);
  }
}

async function newsOfOwn(
  context: LockContext,
  caller: Caller,
  memory: LeaseMemory,
  room: number,
): Promise<readonly LockNews[]> {
  // From now on, and without a store command, it is heard when something becomes of them.
  await context.pulse(caller.principal.namespace).listen();
  const now = inMs(0);
  const asked: (KnownLease | KnownWait)[] = [
    ...[...memory.leases.values()].filter((lease) => lease.isDoubtful || hasCome(lease.lookAt, now)),
    ...[...memory.waits.values()].filter(({ isDoubtful }) => isDoubtful),
  ];
  if (asked.length === 0) return [];
  const standings = await standingsOf(context, caller, asked, room);
  const news: NewsOfLock[] = [];
  const untold = new Set<string>();
  const lastTokens = new Map<string, number>();
  // What another call of the run has told meanwhile is told.
  const left = asked.filter(({ id }) => memory.resourcesOf(id) !== undefined);
  for (const one of left) {
    const { word, token } = standings.get(one.id)!;
    if (word === "UNTOLD") untold.add(one.id);
    if (word !== "LOST") continue;
    memory.drop(one.id);
    lastTokens.set(one.id, token);
    news.push("token" in one ? lostLease(one) : { id: one.id, what: "place lost", resources: one.resources });
  }
  for (const one of left) {
    const { word, endsAt, leftMs } = standings.get(one.id)!;
    if (word === "LOST") continue;
    // What is not told now is looked at by the next call.
    if (word === "UNTOLD" || news.length >= room) one.isDoubtful = true;
    else if (word === "ELSEWHERE") {
      memory.drop(one.id);
      news.push({ id: one.id, what: "elsewhere", resources: one.resources });
    } else if ("token" in one) noteHeld(news, one, endsAt, leftMs);
    else noteWaiting(news, one, word, endsAt);
  }
  const leases = [...memory.leases.values()].filter(({ id }) => !untold.has(id));
  const told: LockNews[] = news.map((one) => withRest(one, leases, lastTokens.get(one.id) ?? 0));
  return untold.size > 0 ? [...told, { what: "more lost", count: untold.size }] : told;
}

/** Where it fails, all that was asked about is as doubtful as before. */
async function standingsOf(
  context: LockContext,
  caller: Caller,
  asked: readonly (KnownLease | KnownWait)[],
  mostLost: number,
): Promise<ReadonlyMap<string, Standing>> {
  for (const one of asked) one.isDoubtful = false;
  try {
    return await touchLeases(
      context,
      caller,
      asked.map(({ id }) => id),
      await deniedOf(context, caller, asked),
      mostLost,
    );
  } catch (error) {
    for (const one of asked) one.isDoubtful = true;
    throw error;
  }
}

/** Those with something that the caller may not lock any more; all of them where it may do nothing, which it is told all the same. */
async function deniedOf(
  context: LockContext,
  caller: Caller,
  asked: readonly Pick<KnownLease, "id" | "resources">[],
): Promise<ReadonlySet<string>> {
  const may = await context.deps.rightsOf(caller).catch((error: unknown) => {
    if (!isRefusal(error) || error.code.startsWith("store.")) throw error;
    return () => false;
  });
  const denied = asked.filter(
    ({ resources }) => !resources.every((one) => may("lock.acquire", `lock:${one}`)),
  );
  return new Set(denied.map(({ id }) => id));
}

function noteHeld(news: NewsOfLock[], lease: KnownLease, endsAt: number, leftMs: number): void {
  const [half, near] = [lease.lengthMs / 2, Math.min(nearEndMs, lease.lengthMs / 4)];
  if (leftMs > near) {
    // Prolonged just now: where less than half of it is left all the same, calls prolong it no further.
    lease.lookAt = inMs(leftMs - (leftMs > half ? half : near));
    return;
  }
  // Where it was renewed for less than was left, calls prolong it again only when less is left than that.
  lease.lookAt = inMs(Math.max(leftMs / 2, Math.min(leftMs, soonestMs)));
  if (lease.toldNearEnd) return;
  lease.toldNearEnd = true;
  news.push({
    id: lease.id,
    what: "ends soon",
    resources: lease.resources,
    until: new Date(endsAt).toISOString(),
  });
}

function noteWaiting(news: NewsOfLock[], wait: KnownWait, word: string, endsAt: number): void {
  const told = word === "OFFERED" ? "offered" : word === "SKIPPED" ? "passed over" : "";
  if (told === wait.told) return;
  wait.told = told;
  if (told === "offered")
    news.push({
      id: wait.id,
      what: "your turn",
      resources: wait.resources,
      until: new Date(endsAt).toISOString(),
    });
  if (told === "passed over") news.push({ id: wait.id, what: "passed over", resources: wait.resources });
}
