import { type Asking, decideAccess, type Grant, GrantBook } from "../src/agents/index.js";
import type { Action } from "../src/identity/index.js";
import { type Measurement, times } from "./finding.js";
import { inTurn, percentile, ratios, spread } from "./measure.js";

const counts = [10, 1_000, 10_000] as const;

/** What deciding about a call costs with many grants, against ten. */
export const decisions: Measurement = {
  name: "decisions",
  once: true,
  async measure(_store, { quick }) {
    const [rounds, perRound] = quick ? [5, 5_000] : [25, 20_000];
    const calls = new Map(
      counts.map((count) => [count, Array.from({ length: 600 }, (_, n) => callOf(n, count))]),
    );
    const books = new Map(counts.map((count) => [count, new GrantBook(grantsOf(count))]));
    const cost = new Map(counts.map((count) => [count, [] as number[]]));
    const parts = counts.map((count) => async (round: number) => {
      const book = books.get(count)!;
      const asked = calls.get(count)!;
      const from = performance.now();
      for (let n = 0; n < perRound; n++) {
        const { asking, action, resource } = asked[n % asked.length]!;
        decideAccess(asking, action, resource, book, 1_000);
      }
      // The first rounds are the compiler's.
      if (round >= 3) cost.get(count)!.push(((performance.now() - from) * 1000) / perRound);
    });
    await inTurn(rounds + 3, parts);
    const ten = cost.get(10)!;
    return ([1_000, 10_000] as const).map((count) => {
      const ratio = ratios(cost.get(count)!, ten);
      return {
        what: `Deciding about a call with ${count} grants, against 10 (time per decision)`,
        store: "any",
        value: times(ratio),
        aim: "≤ 1.5",
        met: ratio.median <= 1.5,
        beside: `${spread(cost.get(count)!).median.toFixed(2)} µs against ${percentile(ten, 0.5).toFixed(2)} µs`,
      };
    });
  },
};

/** A quarter about single agents, one for a role on patterns of topics, one on patterns of locks, one for everybody on queues. */
function grantsOf(count: number): readonly Grant[] {
  return Array.from({ length: count }, (_, n): Grant => {
    const about = [
      { who: `agent-${n}`, action: "mailbox.send", resource: `agent-${n + 1}`, effect: "deny" },
      { who: "role:agent", action: "topic.read", resource: `topic:team-${n}.*.plans.**`, effect: "deny" },
      { who: "*", action: "mailbox.*", resource: `queue:queue-${n}`, effect: "allow" },
      { who: "role:agent", action: "lock.acquire", resource: `lock:team-${n}/*/plans/**`, effect: "deny" },
    ] as const;
    return { id: `g${n}`, createdAt: 0, by: "operator", ...about[n % 4]! };
  });
}

/** Calls about which there is a grant, and as many about which there is none. */
function callOf(n: number, count: number): { asking: Asking; action: Action; resource: string } {
  const quarter = Math.floor(n / 8) % Math.floor(count / 4);
  const asking: Asking = { agent: `agent-${quarter * 4}`, roles: ["agent"], isOperator: false };
  const calls: readonly (readonly [Action, string])[] = [
    ["mailbox.send", `agent-${quarter * 4 + 1}`],
    ["topic.read", `topic:team-${quarter * 4 + 1}.a.plans.b`],
    ["mailbox.read", `queue:queue-${quarter * 4 + 2}`],
    ["lock.acquire", `lock:team-${quarter * 4 + 3}/a/plans/b`],
    ["mailbox.send", "somebody-else"],
    ["topic.read", "topic:news.today.builds.ci"],
    ["mailbox.read", "queue:another"],
    ["lock.acquire", "lock:web/src/plans/a.ts"],
  ];
  const [action, resource] = calls[n % calls.length]!;
  return { asking, action, resource };
}
