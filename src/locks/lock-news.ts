import type { Caller } from "../identity/index.js";
import type { LockContext } from "./context.js";
import { type EarlierLoss, earlierLosses } from "./earlier-losses.js";
import type { KnownLease, KnownWait } from "./lease-memory.js";
import { type Standing, touchLeases } from "./renew-leases.js";

/** Something about the locks of a run that it has not been told yet. */
export type LockNews = NewsOfLock | NewsOfCircle | EarlierLoss;

/** The run waits for a message or a decision in a circle with those that wait for what it holds. */
interface NewsOfCircle {
  readonly what: "circle";
  readonly circle: string;
  /** They wait for what edit hooks of its agent reserved. */
  readonly own_edit_hook?: boolean;
}

interface NewsOfLock {
  readonly id: string;
  /** elsewhere: another run of the agent named it, and has it since. */
  readonly what: "lost" | "elsewhere" | "ends soon" | "your turn" | "passed over";
  readonly resources: readonly string[];
  /** When it ends, for what ends. */
  readonly until?: string;
}

/** A lease is near its end when this much of it is left, or a quarter of it if that is less. */
const nearEndMs = 120_000;

/**
 * What every call of a run does last: it prolongs leases of which less than half is left, and tells once what the run
 * lost, what ends soon although it was prolonged, and whether its turn came; and first, what earlier runs of its agent lost
 * with their end. No store command while there is nothing, but one at the first reply of the run.
 */
export async function lockNews(context: LockContext, caller: Caller): Promise<readonly LockNews[]> {
  const news: LockNews[] = [...(await earlierLosses(context, caller))];
  const memory = context.known(caller);
  if (!memory) return news;
  if (memory.circle && !memory.circle.isTold) {
    memory.circle.isTold = true;
    const { inWords: circle, byOwnHook } = memory.circle;
    news.push({ what: "circle", circle, ...(byOwnHook && { own_edit_hook: true }) });
  }
  if (memory.isEmpty) return news;
  // From now on, and without a store command, it is heard when something becomes of them.
  await context.pulse(caller.principal.namespace).listen();
  const now = context.deps.store.now();
  const leases = [...memory.leases.values()].filter((lease) => lease.isDoubtful || lease.lookAt <= now);
  const waits = [...memory.waits.values()].filter(({ isDoubtful }) => isDoubtful);
  if (leases.length === 0 && waits.length === 0) return news;
  for (const one of [...leases, ...waits]) one.isDoubtful = false;
  const standings = await touchLeases(
    context,
    caller,
    [...leases, ...waits].map(({ id }) => id),
  );
  for (const lease of leases) {
    const standing = standings.get(lease.id);
    if (standing?.word === "HELD") noteHeld(news, lease, standing.endsAt, now);
    else {
      memory.drop(lease.id);
      news.push({ id: lease.id, what: goneHow(standing), resources: lease.resources });
    }
  }
  for (const wait of waits) {
    const standing = standings.get(wait.id);
    if (standing?.word === "LOST" || standing?.word === "ELSEWHERE") {
      memory.drop(wait.id);
      news.push({ id: wait.id, what: goneHow(standing), resources: wait.resources });
    } else if (standing) noteWaiting(news, wait, standing.word, standing.endsAt);
  }
  return news;
}

function goneHow(standing: Standing | undefined): "lost" | "elsewhere" {
  return standing?.word === "ELSEWHERE" ? "elsewhere" : "lost";
}

function noteHeld(news: LockNews[], lease: KnownLease, endsAt: number, now: number): void {
  const near = Math.min(nearEndMs, lease.lengthMs / 4);
  const isProlonged = endsAt > lease.expiresAt;
  lease.expiresAt = endsAt;
  if (endsAt - now > near) {
    lease.lookAt = isProlonged ? endsAt - lease.lengthMs / 2 : endsAt - near;
    return;
  }
  lease.lookAt = endsAt;
  if (lease.toldNearEnd) return;
  lease.toldNearEnd = true;
  news.push({
    id: lease.id,
    what: "ends soon",
    resources: lease.resources,
    until: new Date(endsAt).toISOString(),
  });
}

function noteWaiting(news: LockNews[], wait: KnownWait, word: string, endsAt: number): void {
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
