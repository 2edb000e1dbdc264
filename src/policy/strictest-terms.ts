import type { ApprovalTerms } from "./decision.js";

/**
 * The terms that are no weaker than any of those given, which is at least one.
 *
 * Approvers are those that all of them name; where that leaves nobody, or fewer than have to agree, those of the terms
 * with the highest quorum, of equal ones the first. Whoever is told later only counts where all would have told them.
 */
export function strictestTerms(all: readonly ApprovalTerms[]): ApprovalTerms {
  const quorum = Math.max(...all.map((one) => one.quorum));
  const strictest = all.find((one) => one.quorum === quorum)!;
  const shared = sharedBy(all.map((one) => one.approvers));
  const to = sharedBy(all.map(({ escalate }) => escalate?.to ?? []));
  return {
    expiresMs: Math.min(...all.map((one) => one.expiresMs)),
    otherwise: all.some((one) => one.otherwise === "deny") ? "deny" : "allow",
    quorum,
    approvers: canAgree(shared, quorum) ? shared : strictest.approvers,
    ...(to.length > 0 && {
      escalate: { afterMs: Math.max(...all.map(({ escalate }) => escalate?.afterMs ?? 0)), to },
    }),
    byClient: all.every((one) => one.byClient),
  };
}

function sharedBy(lists: readonly (readonly string[])[]): readonly string[] {
  return lists[0]!.filter((name) => lists.every((list) => list.includes(name)));
}

/** Who has a role is not known here, and may be many. */
function canAgree(approvers: readonly string[], quorum: number): boolean {
  return approvers.some((name) => name.startsWith("role:")) || approvers.length >= Math.max(quorum, 1);
}
