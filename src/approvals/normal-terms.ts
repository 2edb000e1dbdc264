import type { Terms } from "./contract.js";
import type { BoundTerms } from "./question.js";

/** Names that are none would break the record; the rules that name them were checked, so this only makes sure. */
export function normalTerms(terms: Terms, mostMs: number): Terms {
  const known = (names: readonly string[]): string[] =>
    names.filter((name) => /^(role:)?[a-z0-9][a-z0-9._-]{0,62}$/.test(name)).slice(0, 100);
  const approvers = known(terms.approvers);
  const escalateTo = known(terms.escalate?.to ?? []);
  const expiresMs = Math.min(Math.max(Math.round(terms.expiresMs), 1), mostMs);
  return {
    expiresMs,
    otherwise: terms.otherwise === "allow" ? "allow" : "deny",
    quorum: Math.min(Math.max(Math.round(terms.quorum), 1), 100),
    approvers: approvers.length > 0 ? approvers : ["role:approver"],
    byClient: terms.byClient,
    ...(terms.escalate && escalateTo.length > 0 && terms.escalate.afterMs < expiresMs
      ? { escalate: { afterMs: Math.max(Math.round(terms.escalate.afterMs), 1), to: escalateTo } }
      : {}),
  };
}

/** What of them an approval is bound to. @param terms as `normalTerms` leaves them */
export function boundTerms({ quorum, approvers, byClient, otherwise, escalate }: Terms): BoundTerms {
  return { quorum, approvers, byClient, otherwise, escalateTo: escalate?.to ?? [] };
}
