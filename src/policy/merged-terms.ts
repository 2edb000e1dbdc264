import type { ApprovalTerms } from "./decision.js";
import type { Rule } from "./rule.js";

/**
 * How a person is asked where several rules want it: in no term more easily than any of them says, so that no rule that
 * leads the answer takes from what another one asks for. Which approvers count is for the rules to agree on that name
 * some; where they do not, and in who is told too, the leading rule is heard.
 *
 * @param rules the leading one first
 * @returns undefined for no rule
 */
export function mergedTerms(rules: readonly Rule[]): ApprovalTerms | undefined {
  const [leading] = rules;
  if (!leading || rules.length === 1) return leading?.approval;
  const terms = rules.map(({ approval }) => approval);
  const { escalate } = leading.approval;
  return {
    expiresMs: Math.min(...terms.map(({ expiresMs }) => expiresMs)),
    otherwise: terms.every(({ otherwise }) => otherwise === "allow") ? "allow" : "deny",
    quorum: Math.max(...terms.map(({ quorum }) => quorum)),
    approvers: approversOf(rules),
    ...(escalate && { escalate }),
    byClient: terms.every(({ byClient }) => byClient),
  };
}

function approversOf(rules: readonly Rule[]): readonly string[] {
  const naming = rules.filter(({ namesApprovers }) => namesApprovers);
  const [first, ...others] = (naming.length > 0 ? naming : rules).map(({ approval }) => approval.approvers);
  const common = first!.filter((one) => others.every((approvers) => approvers.includes(one)));
  return common.length > 0 ? common : first!;
}
