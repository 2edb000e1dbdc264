import type { Caller } from "../identity/index.js";
import { digest } from "../redis/index.js";
import type { PolicyNotice } from "./context.js";
import type { PolicyAnswer } from "./contract.js";
import type { Question } from "./question.js";

/** The same is told at most once in so long; windows follow each other from the beginning of 1970. */
const windowMs = 10 * 60_000;

/** Nobody can put a sentence into this. */
const plain = /^[\w.:@/-]{1,120}$/;

/** What was decided, and by what. */
type Told = Pick<PolicyAnswer, "decision"> & {
  readonly reasons: readonly Pick<PolicyAnswer["reasons"][number], "by">[];
};

/**
 * What is told of a decision: who asked, for what, what came out, and by which rules.
 *
 * What the caller made up is named only where it is plain: the notice comes from the postmaster, and whoever reads it
 * takes its words for ours. Of the same agent, action and decision there is one in ten minutes, whatever the resource, so
 * that nobody fills a mailbox by asking.
 */
export function noticeOf(
  { principal: { agent, verified } }: Caller,
  { action, resource, nowMs }: Pick<Question, "action" | "resource" | "nowMs">,
  { decision, reasons }: Told,
  to: string,
): PolicyNotice {
  const what = plain.test(action) ? action : "an action that is not shown here";
  const where =
    resource === "" ? "" : ` ${plain.test(resource) ? resource : "a resource that is not shown here"}`;
  const by = reasons.length === 0 ? "" : `, by ${reasons.map((reason) => reason.by).join(", ")}`;
  return {
    about: `policy|${digest([agent, verified, what, decision, to, Math.floor(nowMs / windowMs)])}`,
    body: `${agent}${verified ? "" : " (unverified)"} asked about ${what}${where}: ${decision}${by}`,
  };
}
