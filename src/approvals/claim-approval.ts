import { isRefusal, refuse } from "../errors/index.js";
import { type Caller, rowOf } from "../identity/index.js";
import { digest, loadScript } from "../redis/index.js";
import type { ApprovalContext } from "./context.js";
import type { Terms } from "./contract.js";
import { boundTerms, normalTerms } from "./normal-terms.js";
import { type Question, questionDigest } from "./question.js";
import { parseRequest } from "./stored-request.js";

const claimScript = loadScript(import.meta.url, "claim-approval.lua");
const settleScript = loadScript(import.meta.url, "settle-claim.lua");

/** What an approval is wanted for. */
export interface Claim {
  /** The caller's own name for what it does, or ours for this one call. */
  readonly operation: string;
  /** This call, of several that may have the same operation. */
  readonly attempt: string;
  /** Under which the rules want it asked now. */
  readonly terms: Terms;
}

export interface ClaimedApproval {
  readonly id: string;
  /** Whose votes let it pass; empty where nobody decided in time and that allows it. */
  readonly approvedBy: readonly string[];
  /** The arguments are those an approver put in place of what was asked. */
  readonly edited: boolean;
  /** The same operation has used it before. */
  readonly replayed: boolean;
  /**
   * Uses it up, or gives it back unless another attempt of the operation holds it still. Never rejects: who cannot be
   * told, and who is never told because this process is gone, counts it as used after `claimMs`.
   */
  readonly settle: (wasUsed: boolean) => Promise<void>;
}

/**
 * Holds the approval of exactly this, if there is one, until it is told whether it was done: of all that ask for it one
 * operation gets it. An approval of anything else, and one whose question was approved with other arguments, is none; nor
 * is one under other terms than the rules want now.
 *
 * @throws {MailboxError} `approval.in_use` while another operation holds it
 */
export async function claimApproval(
  context: ApprovalContext,
  caller: Caller,
  question: Question,
  { operation, attempt, terms }: Claim,
): Promise<ClaimedApproval | undefined> {
  const { limits, deps } = context;
  const { namespace, agent } = caller.principal;
  const row = rowOf(caller, {
    action: "approval.use",
    resource: "approval:@ID@",
    outcome: "allow",
    because: "@WHY@",
  });
  // Without the bar that parts the words of a record.
  const name = `u:${agent}:${digest(operation)}`;
  const settle = async (id: string, outcome: "used" | "unused"): Promise<void> => {
    await context
      .run(namespace, settleScript, [id, name, digest(attempt), outcome, row])
      .catch((error: Error) =>
        deps.log("an approval counts as used, for nobody could be told", { id, error: error.message }),
      );
  };
  const [word, given, record] = await context
    .run(namespace, claimScript, [
      questionDigest(agent, question, boundTerms(normalTerms(terms, limits.keepMs))),
      name,
      digest(attempt),
      limits.idempotencyMs,
      limits.claimMs,
      row,
    ])
    .catch(async (error: unknown) => {
      // Perhaps it is held now, for a call that goes no further.
      if (!isRefusal(error) || error.kind === "UNKNOWN") await settle("", "unused");
      throw error;
    });
  const id = String(given);
  if (word === "NONE") return undefined;
  if (word === "IN_USE") return refuse("approval.in_use", { approval_id: id });
  const { counted, chosen } = parseRequest(String(record));
  return {
    id,
    approvedBy: counted,
    edited: chosen !== "",
    replayed: word === "USED",
    settle: async (wasUsed) => {
      if (word !== "USED") await settle(id, wasUsed ? "used" : "unused");
    },
  };
}
