import type { Question } from "../../src/policy/index.js";

type Given = Partial<Omit<Question, "agent">> & { readonly agent?: Partial<Question["agent"]> };

/** A question of bob's, on a Tuesday at noon (UTC), with what a test cares about in the place of the rest. */
export function question({ agent, ...given }: Given = {}): Question {
  return {
    agent: { name: "bob", role: "", roles: ["agent"], team: "", labels: {}, verified: true, ...agent },
    action: "file.delete",
    resource: "",
    context: {},
    counts: {},
    reads: { unverified: [], foreign: [] },
    nowMs: Date.UTC(2026, 0, 6, 12),
    ...given,
  };
}
