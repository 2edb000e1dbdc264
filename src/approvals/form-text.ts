import { visible } from "../addresses/index.js";
import type { Approval } from "./contract.js";
import { approvalFacts, approvalSteps, approvalWords } from "./notice-text.js";
import { pageChars } from "./page-of-request.js";

/**
 * A request as the form in its requester's client shows it; undefined where that is longer than a form shows, for it would
 * be cut somewhere, and nobody approves what they were not shown.
 *
 * What is asked stands first: clients fold a text after its first lines (Claude Code after three).
 */
export function formText(approval: Approval): string | undefined {
  const lines = [
    `${approval.agent} asks before it acts, in words that nobody checked:`,
    ...approvalWords(approval),
    ...approvalSteps(approval),
    "",
    ...approvalFacts(approval),
    "",
    "Your client vouches that it is you who answers.",
  ];
  const text = lines.map((line) => visible(line, "\t")).join("\n");
  return text.length > pageChars ? undefined : text;
}
