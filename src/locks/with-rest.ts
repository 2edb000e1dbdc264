import { covers, type Resource } from "../addresses/index.js";
import type { LockNews, NewsOfLock } from "./contract.js";
import type { KnownLease, LeaseMemory } from "./lease-memory.js";

/**
 * Of a lease that is lost, where the run has another one on all that it was for, and no weaker. Nobody else got that
 * where the run had the other one already; where it got it since, or nobody knows, others may have had it in between.
 *
 * @param lastToken the last one that was given out when it was lost, 0 where that is not known
 */
export function withRest(news: NewsOfLock, leases: readonly KnownLease[], lastToken: number): NewsOfLock {
  if (news.what !== "lost") return news;
  const rest = leases.filter(
    ({ mode, resources }) =>
      (mode === "exclusive" || news.shared) &&
      news.resources.every((lost) => resources.some((own) => covers(own as Resource, lost as Resource))),
  );
  const still = rest.find(({ token }) => token <= lastToken);
  if (still) return { ...news, still_under: still.id };
  const [again] = rest;
  return again ? { ...news, again_under: again.id } : news;
}

/**
 * What a call that names it tells of a loss, by which it counts as told.
 *
 * @param lastToken as above
 */
export function lossNamed(
  memory: LeaseMemory | undefined,
  id: string,
  lastToken: number,
): LockNews | undefined {
  const loss = memory?.lossOf(id);
  if (!memory || loss?.what !== "lost") return loss;
  // Of what a hint spoke of it is not known whether it is held.
  const others = [...memory.leases.values()].filter((one) => one.id !== id && !one.isDoubtful);
  return withRest(loss, others, lastToken);
}

/** Of what a refusal names: it says what to do where nothing is left of it; what is left, the line says that closes it. */
export function tellOfRefused(
  memory: LeaseMemory | undefined,
  loss: LockNews | undefined,
  tells: (news: LockNews) => void,
): void {
  if (loss?.what === "lost" && loss.still_under !== undefined) memory?.kept.push(loss);
  else if (loss) tells(loss);
}
