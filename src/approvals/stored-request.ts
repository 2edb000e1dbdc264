/** What became of a request. */
export const states = ["pending", "approved", "rejected", "answered", "expired", "used", "void"] as const;
export type ApprovalState = (typeof states)[number];

/** A request as lua/request.lua writes it; times in ms, 0 for never. */
export interface StoredRequest {
  readonly state: ApprovalState;
  readonly agent: string;
  readonly digest: string;
  readonly openedAt: number;
  readonly expiresAt: number;
  readonly otherwise: "deny" | "allow";
  readonly quorum: number;
  readonly byClient: boolean;
  /** Even while somebody has still to be told; 2 and more once it was escalated. */
  readonly stage: number;
  readonly approvers: readonly string[];
  readonly escalateAt: number;
  readonly escalateTo: readonly string[];
  readonly endedAt: number;
  /** Until when it lets something pass; 0 where it does not. */
  readonly usableUntil: number;
  /** Of what was approved in place of what was asked. */
  readonly chosen: string;
  /** Whose votes decided. */
  readonly counted: readonly string[];
  readonly usedAt: number;
}

export function parseRequest(text: string): StoredRequest {
  const words = text.split("|");
  const number = (n: number): number => Number(words[n]);
  const list = (n: number): string[] => words[n]!.split(",").filter(Boolean);
  return {
    state: words[0] as ApprovalState,
    agent: words[1]!,
    digest: words[2]!,
    openedAt: number(3),
    expiresAt: number(4),
    otherwise: words[5] as StoredRequest["otherwise"],
    quorum: number(6),
    byClient: words[7] === "1",
    stage: number(8),
    approvers: list(9),
    escalateAt: number(10),
    escalateTo: list(11),
    endedAt: number(12),
    usableUntil: number(13),
    chosen: words[14]!,
    counted: list(15),
    usedAt: number(16),
  };
}

/** Who may decide it now; those it is escalated to from then on. */
export function approversOf(request: StoredRequest, nowMs: number): readonly string[] {
  const escalated = request.escalateAt > 0 && request.escalateAt <= nowMs;
  return escalated ? [...request.approvers, ...request.escalateTo] : request.approvers;
}

/** Whether what was asked may be done: by what was decided, or by what holds when nobody decides in time. */
export function effectOf({ state, otherwise }: StoredRequest): "allow" | "deny" | undefined {
  switch (state) {
    case "pending":
      return undefined;
    case "approved":
    case "used":
      return "allow";
    case "expired":
      return otherwise;
    default:
      return "deny";
  }
}
