import type { Caller } from "../identity/index.js";
import type { PolicyContext } from "./context.js";
import type { PolicyAnswer } from "./contract.js";
import { noticeOf } from "./notice-of.js";
import type { Question } from "./question.js";

/** What is left for whoever asked: whoever is to be told is told by us. */
export function withoutNotices(obligations: readonly string[]): readonly string[] {
  return obligations.filter((one) => !one.startsWith("notify "));
}

/** Tells those whom rules want told of a decision. */
export function notifyTold(
  { deps }: PolicyContext,
  caller: Caller,
  question: Pick<Question, "action" | "resource" | "nowMs">,
  answer: Pick<PolicyAnswer, "decision" | "obligations"> & {
    readonly reasons: readonly Pick<PolicyAnswer["reasons"][number], "by">[];
  },
): void {
  for (const obligation of answer.obligations) {
    const to = /^notify (\S+)$/.exec(obligation)?.[1];
    if (to === undefined) continue;
    deps
      .notify(caller.principal.namespace, to, noticeOf(caller, question, answer, to))
      .catch((error: Error) => deps.log("nobody could be told of a decision", { to, error: error.message }));
  }
}
