import { covers, type Resource } from "../addresses/index.js";
import type { NewsOfLock } from "./contract.js";
import type { KnownLease } from "./lease-memory.js";

/**
 * Of a lease that is lost, where the run has another one on all that it was for, and no weaker. Nobody else got that
 * where the run had the other one already; where it got it since, or nobody knows, others may have had it in between.
 *
 * @param lastToken the last one that was given out when it was lost, 0 where that is not known
 */
export function withRest(news: NewsOfLock, leases: readonly KnownLease[], lastToken: number): NewsOfLock {
  if (news.what !== "lost") return news;
  const rest = leases.filter((one) => hasAllOf(one, news));
  const still = rest.find(({ token }) => token <= lastToken);
  if (still) return { ...news, still_under: still.id };
  const [again] = rest;
  return again ? { ...news, again_under: again.id } : news;
}

/** Whether a lease is on all that another one was for, and no weaker. */
export function hasAllOf({ mode, resources }: KnownLease, lost: NewsOfLock): boolean {
  return (
    (mode === "exclusive" || lost.shared === true) &&
    lost.resources.every((one) => resources.some((own) => covers(own as Resource, one as Resource)))
  );
}
