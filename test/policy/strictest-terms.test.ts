import { describe, expect, it } from "vitest";
import type { ApprovalTerms } from "../../src/policy/index.js";
import { strictestTerms } from "../../src/policy/strictest-terms.js";

const standard: ApprovalTerms = {
  expiresMs: 3_600_000,
  otherwise: "deny",
  quorum: 1,
  approvers: ["role:approver"],
  byClient: true,
};
const of = (...all: Partial<ApprovalTerms>[]): ApprovalTerms =>
  strictestTerms(all.map((one) => ({ ...standard, ...one })));

describe("the strictest of several terms", () => {
  it("need the most people, end the soonest, deny if any does, and take the client's word only if all do", () => {
    expect(
      of({ quorum: 2, otherwise: "allow" }, { expiresMs: 60_000, byClient: false }, { otherwise: "allow" }),
    ).toEqual({ ...standard, quorum: 2, expiresMs: 60_000, byClient: false });
    expect(of({ otherwise: "allow" }, { otherwise: "allow" }).otherwise).toBe("allow");
  });

  it("leave it to those that all name, or to those of the strictest where they are nobody or too few", () => {
    const approvers = (...all: Partial<ApprovalTerms>[]): readonly string[] => of(...all).approvers;
    expect(approvers({ approvers: ["ann", "ben"] }, { approvers: ["ben", "cid"] })).toEqual(["ben"]);
    expect(approvers({ approvers: ["ann"] }, { approvers: ["ben", "cid"], quorum: 2 })).toEqual([
      "ben",
      "cid",
    ]);
    expect(
      approvers({ approvers: ["ann", "ben"], quorum: 2 }, { approvers: ["ben", "role:approver"] }),
    ).toEqual(["ann", "ben"]);
    expect(approvers({ quorum: 3 }, { approvers: ["role:approver", "ann"] })).toEqual(["role:approver"]);
  });

  it("hear those who name approvers, and of the usual ones only where nobody does", () => {
    const named = { approvers: ["ann"], namesApprovers: true };
    expect(of({ approvers: ["role:approver"] }, named)).toMatchObject(named);
    expect(of({ quorum: 2 }, { approvers: ["ann", "ben"], namesApprovers: true }).approvers).toEqual([
      "ann",
      "ben",
    ]);
    expect(of({}, {}).namesApprovers).toBeUndefined();
  });

  it("leave to the first who is told later", () => {
    const escalate = { afterMs: 1_000, to: ["role:admin", "ann"] };
    expect(of({ escalate }, {}).escalate).toEqual(escalate);
    expect(of({}, { escalate }).escalate).toBeUndefined();
  });
});
