import { refuse } from "../../src/errors/index.js";
import type {
  ApprovalQuestion,
  ApprovalRequest,
  ApprovalState,
  PolicyDependencies,
} from "../../src/policy/index.js";
import { digest } from "../../src/redis/index.js";

interface Asked {
  readonly id: string;
  readonly digest: string;
  readonly request: ApprovalRequest;
  state: ApprovalState;
  usedBy?: string;
  isDone?: boolean;
}

/** People who are asked, in the memory of a test: what the room of policy has to do with approvals, and no more. */
export class MemoryApprovals
  implements Pick<PolicyDependencies, "openApproval" | "claimApproval" | "awaitApproval">
{
  readonly asked: Asked[] = [];

  openApproval: PolicyDependencies["openApproval"] = async ({ principal }, request) => {
    const key = keyOf(principal.agent, request, request.terms);
    let found = this.asked.find((one) => one.digest === key && one.state !== "used");
    if (!found) {
      found = { id: `ap-${this.asked.length + 1}`, digest: key, request, state: "pending" };
      this.asked.push(found);
    }
    return { id: found.id, state: found.state, expiresAt: 2e12 };
  };

  claimApproval: PolicyDependencies["claimApproval"] = async (
    { principal },
    question,
    { operation, terms },
  ) => {
    const key = keyOf(principal.agent, question, terms);
    const found = this.asked.find(
      (one) => one.digest === key && (one.state === "approved" || one.usedBy === operation),
    );
    if (!found) return undefined;
    found.state = "used";
    found.usedBy = operation;
    return {
      id: found.id,
      replayed: found.isDone === true,
      settle: async (wasUsed) => {
        found.isDone ||= wasUsed;
        if (found.isDone || found.usedBy !== operation) return;
        found.state = "approved";
        delete found.usedBy;
      },
    };
  };

  awaitApproval: PolicyDependencies["awaitApproval"] = async (_, id) => {
    const found =
      this.asked.find((one) => one.id === id) ??
      refuse("access.denied", {
        ...{ principal: "alice", action: "approval.read", resource: "*" },
      });
    const { state, request } = found;
    return {
      ...{ action: request.action, resource: request.resource },
      ...{ arguments: request.arguments, context: request.context },
      id,
      state,
      ...(state === "approved"
        ? { effect: "allow" as const }
        : state === "rejected"
          ? { effect: "deny" as const }
          : {}),
      expires_at: new Date(2e12).toISOString(),
      decided_by: state === "pending" ? [] : ["boss"],
      votes: state === "rejected" ? [{ by: "boss", comment: "not today" }] : [],
    };
  };

  decide(id: string | undefined, state: "approved" | "rejected"): void {
    this.asked.find((one) => one.id === id)!.state = state;
  }
}

function keyOf(
  agent: string,
  { action, resource, arguments: given, context }: ApprovalQuestion,
  terms: ApprovalRequest["terms"],
): string {
  return digest([agent, action, resource, given, context, terms]);
}
