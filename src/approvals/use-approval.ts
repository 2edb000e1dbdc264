import { type Caller, rowOf } from "../identity/index.js";
import { digest, loadScript } from "../redis/index.js";
import type { ApprovalContext } from "./context.js";
import type { Terms } from "./contract.js";
import { boundTerms, normalTerms } from "./normal-terms.js";
import { type Question, questionDigest } from "./question.js";
import { parseRequest } from "./stored-request.js";

const useScript = loadScript(import.meta.url, "use-approval.lua");

export interface UsedApproval {
  readonly id: string;
  /** Whose votes let it pass; empty where nobody decided in time and that allows it. */
  readonly approvedBy: readonly string[];
  /** The arguments are those an approver put in place of what was asked. */
  readonly edited: boolean;
  /** The same operation used it before. */
  readonly replayed: boolean;
}

/**
 * Uses up the approval of exactly this, if there is one: once, and for the same operation again with the same answer. An
 * approval of anything else, and one whose question was approved with other arguments, is none; nor is one under other terms than the rules
 * want now.
 *
 * @param operation the caller's own name for what it does, or ours for this one call
 * @param terms under which the rules want it asked now
 */
export async function useApproval(
  context: ApprovalContext,
  caller: Caller,
  question: Question,
  operation: string,
  terms: Terms,
): Promise<UsedApproval | undefined> {
  const { namespace, agent } = caller.principal;
  const row = rowOf(caller, {
    action: "approval.use",
    resource: "approval:@ID@",
    outcome: "allow",
    because: "@WHY@",
  });
  const [word, id, record] = await context.run(namespace, useScript, [
    questionDigest(agent, question, boundTerms(normalTerms(terms, context.limits.keepMs))),
    `u|${agent}|${digest(operation)}`,
    context.limits.idempotencyMs,
    row,
  ]);
  if (word === "NONE") return undefined;
  const { counted, chosen } = parseRequest(String(record));
  return { id: String(id), approvedBy: counted, edited: chosen !== "", replayed: word === "REPLAYED" };
}
