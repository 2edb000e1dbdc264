import type { Notice } from "./context.js";
import type { Approval, ApprovalHead, ShownVote } from "./contract.js";

/** Why somebody is told of a request: `edited` when somebody approved other arguments and others have to agree. */
export type Occasion = "opened" | "escalated" | `edited by ${string}`;

/**
 * A request as mail to an approver, with all of it. What the requester wrote stands behind a bar on each line, so that
 * none of it can pass for ours.
 *
 * @param isLong it is not shown at once, so that an approval by mail alone is refused
 */
export function noticeText(
  approval: Approval,
  to: string,
  { occasion, isLong }: { readonly occasion: Occasion; readonly isLong: boolean },
): Notice {
  const { id, agent, action } = approval;
  const body = [
    `${agent}${approval.verified ? "" : " (unverified)"} asks before it acts, and waits for your decision.`,
    ...(occasion === "escalated" ? ["Nobody has decided so far, so it comes to you."] : []),
    ...(occasion.startsWith("edited")
      ? [
          "Somebody approved other arguments; that counts with those who approve the same. See the votes below.",
        ]
      : []),
    "",
    ...approvalLines(approval),
    ...(approval.votes.length > 0 ? ["", "Votes so far:", ...approval.votes.flatMap(voteLines)] : []),
    "",
    "To decide, reply to this message, to postmaster. Begin with one of these; lines that quote this (>) are left out:",
    "  approve",
    "  approve: COMMENT",
    "  reject: BECAUSE",
    "  answer: TEXT           a text in place of a decision",
    '  edit {"name": "value"} approve with these arguments in place of those asked for; all of them, as JSON',
    `Or call decide_approval with approval_id ${id}.`,
    ...(isLong
      ? [
          "It is longer than mail shows at once: before you approve it, read it to its end with decide_approval.",
        ]
      : []),
  ].join("\n");
  return {
    // An action may be any text; in a subject it would pass for ours.
    subject: `approval ${id}${/^[\w.:-]{1,80}$/.test(action) ? `: ${action}` : ""}`,
    body,
    about: `approval:${id}:${to}:${occasion}`,
  };
}

/** All of a request, line by line, for mail and terminal; who shows it makes hidden characters visible. */
export function approvalLines(approval: Approval): string[] {
  return [
    ...approvalFacts(approval),
    "",
    `In the words of ${approval.agent}, which nobody checked:`,
    ...approvalWords(approval),
    ...approvalSteps(approval),
  ];
}

/** What the rules of now make of a request, in our own words; nothing where that is nothing. */
export function approvalWarnings({ agent, stopped, state }: ApprovalHead): string[] {
  const isOpen = state === "pending" || state === "approved";
  return stopped && isOpen
    ? [
        `${agent} was stopped since: nothing it asks for is done, and it is not approved before ${agent} is let go on.`,
      ]
    : [];
}

/** What is known of a request, in our own words. */
export function approvalFacts(approval: Approval): string[] {
  const { quorum, approvers } = approval;
  const facts = [approval.role && `role ${approval.role}`, approval.team && `team ${approval.team}`].filter(
    Boolean,
  );
  return [
    `request:   ${approval.id}`,
    `who:       ${approval.agent}${approval.verified ? "" : " (unverified)"}${facts.length > 0 ? `, ${facts.join(", ")}` : ""}; rights: ${approval.roles.join(", ") || "none"}`,
    `rules:     ${approval.rules.join(", ") || "none named"}`,
    ...approval.reasons.map((reason) => `reason:    ${reason.replace(/\s+/g, " ")}`),
    ...(typeof approval.added?.reserve === "number"
      ? [`reserves:  ${approval.added.reserve}, until the step is settled`]
      : []),
    `opened:    ${approval.opened_at}`,
    `expires:   ${approval.expires_at}; without a decision by then: ${approval.otherwise}`,
    `approvers: ${approvers.join(", ")}${quorum > 1 ? `; ${quorum} of them have to agree` : ""}`,
    ...(approval.escalates_at
      ? [`escalates: ${approval.escalates_at} to ${approval.escalates_to!.join(", ")}`]
      : []),
  ];
}

/** What its requester says it is about, behind a bar, what matters most first. */
export function approvalWords(approval: Approval): string[] {
  return [
    ...quoted("action", approval.action),
    ...quoted("resource", approval.resource),
    ...quoted("why", approval.why),
    ...quoted("risk", approval.risk),
    ...quoted("arguments", jsonText(approval.arguments)),
    ...(Object.keys(approval.context).length > 0 ? quoted("context", jsonText(approval.context)) : []),
  ];
}

/** The steps that we read out of what it says, in its names, behind a bar; nothing where it is one step. */
export function approvalSteps({ added }: Approval): string[] {
  const steps = added?.steps;
  return Array.isArray(steps)
    ? ["", "The steps that were read out of it:", ...steps.flatMap((step) => quoted("step", String(step)))]
    : [];
}

/** A vote, with its voter's words behind a bar; who shows it makes hidden characters visible. */
export function voteLines({
  by,
  verified,
  way,
  decision,
  comment,
  arguments: edited,
  counts,
  at,
}: ShownVote): string[] {
  return [
    `${at}  ${by}${verified ? "" : " (unverified)"} by ${way}: ${decision}${counts === false ? doesNotCount : ""}`,
    ...quoted("comment", comment ?? ""),
    ...(edited ? quoted("arguments", jsonText(edited)) : []),
  ];
}

/** What stands behind a vote that does not count as things are. */
export const doesNotCount = " (does not count any more: the right or its proof was taken away)";

/** Longer than this it is easier to read on one line than on thousands of nearly empty ones. */
const mostIndented = 8_000;

/** A value for a person: line by line, or on one line where indenting makes it long, so that it is never cut. */
export function jsonText(value: object): string {
  const text = JSON.stringify(value, null, 1);
  return text.length <= mostIndented ? text : JSON.stringify(value);
}

function quoted(name: string, text: string): string[] {
  if (text === "") return [];
  // Whatever a reader would take for the end of a line begins a new one of ours.
  const lines = text.split(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/);
  return lines.map((line, n) => `| ${(n === 0 ? `${name}: ` : "").padEnd(11)}${line}`);
}
