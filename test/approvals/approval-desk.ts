import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Approval,
  type ApprovalLimits,
  type ApprovalRequest,
  type AwaitOptions,
  awaitApproval,
  type ClaimedApproval,
  claimApproval,
  type Decided,
  type Decision,
  decideApproval,
  keepApprovals,
  type OpenedApproval,
  openApproval,
  type Terms,
} from "../../src/approvals/index.js";
import { queryAudit } from "../../src/audit/index.js";
import { type House, openHouse } from "../../src/compose.js";
import { readConfig } from "../../src/config/index.js";
import { isRefusal } from "../../src/errors/index.js";
import { type Caller, operatorPrincipal, type Role, type RunId } from "../../src/identity/index.js";
import { openLog } from "../../src/observability/index.js";
import { approvalKeyList, approvalKeys } from "../../src/redis/index.js";
import { told } from "../audit/audit-desk.js";
import { patientMs } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

export const plainTerms: Terms = {
  expiresMs: 3_600_000,
  otherwise: "deny",
  quorum: 1,
  approvers: ["role:approver"],
  byClient: false,
};

/** One process of the product, and short words for what agents and approvers do. */
export class ApprovalDesk {
  readonly house: House;
  readonly #folder: string;
  readonly #url: string;
  readonly #limits: Partial<ApprovalLimits>;
  /** Questions of this process to the store. */
  roundTrips = 0;

  private constructor(house: House, folder: string, url: string, limits: Partial<ApprovalLimits>) {
    this.house = house;
    this.#folder = folder;
    this.#url = url;
    this.#limits = limits;
  }

  static async open(
    url: string,
    limits: Partial<ApprovalLimits> = {},
    namespace = newNamespace(),
  ): Promise<ApprovalDesk> {
    const folder = mkdtempSync(join(tmpdir(), "mailbox-approvals-"));
    const config = readConfig({
      REDIS_URL: url,
      LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
      LLM_MAILBOX_NAMESPACE: namespace,
      LLM_MAILBOX_DATA_DIR: folder,
    });
    let desk: ApprovalDesk | undefined;
    const house = await openHouse(config, openLog("silent"), {
      seal: { everyMs: 3_600_000 },
      callTimeoutMs: patientMs,
      approvals: limits,
      onRoundTrip: () => {
        if (desk) desk.roundTrips += 1;
      },
    });
    desk = new ApprovalDesk(house, folder, url, limits);
    return desk;
  }

  /** Another process on the same namespace; the one before may be gone. */
  again(): Promise<ApprovalDesk> {
    return ApprovalDesk.open(this.#url, this.#limits, this.namespace);
  }

  get namespace(): string {
    return this.house.config.namespace;
  }

  /** An agent with proof of its name; what it may is its roles, and what the namespace says. */
  caller(agent: string, roles: readonly Role[] = ["agent"], more: Partial<Caller["principal"]> = {}): Caller {
    return {
      principal: {
        namespace: this.namespace,
        agent,
        verified: true,
        roles,
        credential: { kind: "none" },
        ...more,
      },
      run: { id: `${agent}/1` as RunId },
    };
  }

  approver(name: string): Caller {
    return this.caller(name, ["approver"]);
  }

  operator(): Caller {
    return { principal: operatorPrincipal(this.namespace), run: { id: "operator/command-line" as RunId } };
  }

  ask(
    more: Partial<ApprovalRequest> = {},
    terms: Partial<Terms> = {},
    by: string | Caller = "alice",
  ): Promise<OpenedApproval> {
    return openApproval(this.house.approvals, typeof by === "string" ? this.caller(by) : by, {
      action: "file.delete",
      resource: "vault",
      arguments: { path: "/prod/a" },
      context: { cost: 3 },
      rules: ["destructive"],
      reasons: ["destructive actions need a person"],
      why: "it is old",
      risk: "high",
      terms: { ...plainTerms, ...terms },
      ...more,
    });
  }

  /** As the operator's sweep comes by; a process of a test keeps nothing by itself. */
  sweep(): Promise<void> {
    return keepApprovals(this.house.approvals, this.namespace);
  }

  decide(
    id: string,
    decision: Decision["decision"],
    more: Partial<Decision> = {},
    caller = this.approver("carol"),
  ): Promise<Decided> {
    return decideApproval(this.house.approvals, caller, { approval_id: id, decision, ...more }, "tool");
  }

  claim(
    operation: string,
    more: Partial<ApprovalRequest> = {},
    by = "alice",
    terms: Partial<Terms> = {},
    attempt = operation,
  ): Promise<ClaimedApproval | undefined> {
    const question = {
      action: "file.delete",
      resource: "vault",
      arguments: { path: "/prod/a" },
      context: { cost: 3 },
      ...more,
    };
    const claim = { operation, attempt, terms: { ...plainTerms, ...terms } };
    return claimApproval(this.house.approvals, this.caller(by), question, claim);
  }

  /** Claims it and does at once what it is for; nothing where it is not there to be used, or in use. */
  async use(
    ...claim: Parameters<ApprovalDesk["claim"]>
  ): Promise<Omit<ClaimedApproval, "settle"> | undefined> {
    const claimed = await this.claim(...claim).catch((error: unknown) => {
      if (!isRefusal(error, "approval.in_use")) throw error;
    });
    if (!claimed) return undefined;
    const { settle, ...told } = claimed;
    await settle(true);
    return told;
  }

  wait(id: string, options: AwaitOptions = {}, by = "alice"): Promise<Approval> {
    return awaitApproval(this.house.approvals, this.caller(by), id, options);
  }

  /** Everything the store has of approvals here, audit rows included. */
  async image(): Promise<unknown> {
    const { store } = this.house;
    const image: Record<string, unknown> = {};
    for (const key of approvalKeyList(approvalKeys(this.namespace))) {
      const type = String(await store.command("TYPE", key));
      image[key] =
        type === "hash"
          ? await store.command("HGETALL", key)
          : type === "zset"
            ? await store.command("ZRANGE", key, 0, -1, "WITHSCORES")
            : type === "list"
              ? await store.command("LRANGE", key, 0, -1)
              : type;
    }
    return image;
  }

  /** What the audit has about approvals, in the order of its times. */
  async rows(): Promise<string[]> {
    const found = [];
    for await (const event of queryAudit(this.house.store, this.house.places, this.namespace))
      found.push(event);
    return found
      .sort((a, b) => a.at - b.at)
      .filter(({ action }) => action.startsWith("approval."))
      .map(told);
  }

  async close(): Promise<void> {
    await this.house.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
