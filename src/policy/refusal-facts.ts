import { visible } from "../addresses/index.js";
import type { DecidingRule } from "./decision.js";

/** What a refusal says of the rules and limits it is due to, in words that fit into its text. */
export function refusalFacts(rules: readonly DecidingRule[]): {
  readonly reason: string;
  readonly rules: string;
  readonly guidance: string;
  readonly about: string;
} {
  return {
    reason: inSentence(rules.map(saidBy).join("; ") || "the rules do not allow it"),
    rules: rules.map(({ id }) => `rule ${id}`).join(", ") || "no rule",
    guidance: inSentence(rules.flatMap(({ guidance }) => guidance ?? []).join(" ") || "Take another way"),
    about: "",
  };
}

/** The reason of a rule, which was held against whoever asked where it could not be decided. */
export function saidBy({ reason, failed }: Pick<DecidingRule, "reason" | "failed">): string {
  return failed ? `${reason} (its condition could not be decided)` : reason;
}

/** Without the stop that the text of the refusal puts there. */
export function inSentence(text: string): string {
  return visible(text.replace(/\s+/g, " ").trim()).slice(0, 600).replace(/\.$/, "");
}
