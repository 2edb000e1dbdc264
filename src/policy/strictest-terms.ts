import type { ApprovalTerms } from "./decision.js";

/**
 * How people are asked where several rules, limits or steps want it: in no term more easily than any of them says, so
 * that none takes from what another one asks for.
 *
 * Approvers are those that all name who name some; where that leaves nobody, or fewer than have to agree, those of the
 * terms with the highest quorum, of equal ones the first. Who is told later is for the first to say.
 *
 * @param all the leading ones first, at least one
 */
export function strictestTerms(all: readonly ApprovalTerms[]): ApprovalTerms {
  const quorum = Math.max(...all.map((one) => one.quorum));
  const named = all.filter(({ namesApprovers }) => namesApprovers);
  const naming = named.length > 0 ? named : all;
  const most = Math.max(...naming.map((one) => one.quorum));
  const strictest = naming.find((one) => one.quorum === most)!;
  const shared = sharedBy(naming.map((one) => one.approvers));
  const { escalate } = all[0]!;
  return {
    expiresMs: Math.min(...all.map((one) => one.expiresMs)),
    otherwise: all.some((one) => one.otherwise === "deny") ? "deny" : "allow",
    quorum,
    approvers: canAgree(shared, quorum) ? shared : strictest.approvers,
    ...(named.length > 0 && { namesApprovers: true }),
    ...(escalate && { escalate }),
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
