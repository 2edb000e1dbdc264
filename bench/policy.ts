import { Engine } from "json-rules-engine";
import {
  type CompiledRules,
  compileRules,
  type Effect,
  effects,
  type Question,
} from "../src/policy/index.js";
import { type Measurement, times } from "./finding.js";
import { inTurn, percentile, ratios, spread } from "./measure.js";

const counts = [100, 1_000] as const;
const perAction = 4;

/** What deciding a question costs in process, by the rules alone, and what another engine takes for the same rules. */
export const policy: Measurement = {
  name: "policy",
  once: true,
  async measure(_store, { quick }) {
    const rounds = quick ? 5 : 20;
    const perRound = quick ? 2_000 : 20_000;
    const sets = counts.map((count) => ({
      count,
      ours: compileRules(JSON.stringify({ version: 1, rules: written(count) })),
      theirs: otherEngine(count),
      asked: Array.from({ length: 500 }, (_, n) => questionOf(n, count)),
      each: [] as number[],
      medians: [] as number[],
      theirMedians: [] as number[],
    }));
    for (const { ours, theirs, asked } of sets) await agree(ours, theirs, asked.slice(0, 50));
    const parts = sets.map((set) => async (round: number) => {
      const mine = new Array<number>(perRound);
      for (let n = 0; n < perRound; n++) {
        const question = set.asked[n % set.asked.length]!;
        const from = performance.now();
        set.ours.decide(question);
        mine[n] = (performance.now() - from) * 1_000;
      }
      // It looks at every rule for every question, which takes its time.
      const theirsPerRound = (quick ? 5_000 : 20_000) / set.count;
      const others = new Array<number>(theirsPerRound);
      for (let n = 0; n < theirsPerRound; n++) {
        const question = set.asked[n % set.asked.length]!;
        const from = performance.now();
        await ask(set.theirs, question);
        others[n] = (performance.now() - from) * 1_000;
      }
      // The first rounds are the compiler's.
      if (round < 2) return;
      set.each.push(...mine);
      set.medians.push(percentile(mine, 0.5));
      set.theirMedians.push(percentile(others, 0.5));
    });
    await inTurn(rounds + 2, parts);
    const [hundred, thousand] = sets as [(typeof sets)[0], (typeof sets)[0]];
    const growth = ratios(thousand.medians, hundred.medians);
    return [
      ...sets.map(({ count, each, medians, theirMedians }) => {
        const [p50, p99] = [percentile(each, 0.5), percentile(each, 0.99)];
        return {
          what: `Deciding a question by ${count} rules, in process`,
          store: "any",
          value: `p50 ${p50.toFixed(1)} µs, p99 ${p99.toFixed(1)} µs`,
          ...(count === 100 && { aim: "p50 ≤ 10 µs, p99 ≤ 100 µs", met: p50 <= 10 && p99 <= 100 }),
          beside: `json-rules-engine 7.3.1, the same rules: p50 ${spread(theirMedians).median.toFixed(0)} µs, ${times(ratios(theirMedians, medians))} of ours`,
        };
      }),
      {
        what: "Deciding a question by 1,000 rules, against 100 (median)",
        store: "any",
        value: times(growth),
        aim: "≤ 3",
        met: growth.median <= 3,
        beside: `json-rules-engine 7.3.1: ${times(ratios(thousand.theirMedians, hundred.theirMedians))}`,
      },
    ];
  },
};

/** Four rules about each action: who asks, for what, at which cost. */
interface Facts {
  readonly action: string;
  readonly below: string;
  readonly role: string;
  readonly cost: number;
  readonly effect: Effect;
}

function factsOf(n: number, count: number): Facts {
  return {
    action: `area${n % (count / perAction)}.change`,
    below: n % 2 === 0 ? "prod/" : "test/",
    role: `role${n % 7}`,
    cost: n % 90,
    effect: effects[n % 3]!,
  };
}

function written(count: number): readonly object[] {
  return Array.from({ length: count }, (_, n) => {
    const { action, below, role, cost, effect } = factsOf(n, count);
    const when = `agent.role == "${role}" && context.cost > ${cost}`;
    return { id: `r${n}`, actions: [action], resources: [`${below}**`], when, effect };
  });
}

function otherEngine(count: number): Engine {
  const engine = new Engine([], { allowUndefinedFacts: true });
  engine.addOperator("beginsWith", (text: string, beginning: string) => text.startsWith(beginning));
  for (let n = 0; n < count; n++) {
    const { action, below, role, cost, effect } = factsOf(n, count);
    engine.addRule({
      conditions: {
        all: [
          { fact: "action", operator: "equal", value: action },
          { fact: "resource", operator: "beginsWith", value: below },
          { fact: "agent", operator: "equal", value: role, path: "$.role" },
          { fact: "context", operator: "greaterThan", value: cost, path: "$.cost" },
        ],
      },
      event: { type: effect },
    });
  }
  return engine;
}

function questionOf(n: number, count: number): Question {
  return {
    agent: { name: "bob", role: `role${n % 7}`, roles: ["agent"], team: "pay", labels: {}, verified: true },
    action: `area${(n * 7) % (count / perAction)}.change`,
    resource: n % 3 === 0 ? "prod/shop/db" : "test/shop/db",
    context: { cost: (n * 13) % 120, risk: "low", arguments: { path: "shop/db", force: false } },
    counts: {},
    reads: { unverified: [], foreign: [] },
    nowMs: 1_770_000_000_000,
  };
}

async function ask(engine: Engine, { action, resource, agent, context }: Question): Promise<Effect> {
  const { events } = await engine.run({ action, resource, agent, context });
  return events.reduce<Effect>(
    (strictest, { type }) =>
      effects.indexOf(type as Effect) > effects.indexOf(strictest) ? (type as Effect) : strictest,
    "allow",
  );
}

/** Two engines that decide differently are not comparable. */
async function agree(ours: CompiledRules, theirs: Engine, asked: readonly Question[]): Promise<void> {
  const seen = new Set<Effect>();
  for (const question of asked) {
    const { effect } = ours.decide(question);
    const other = await ask(theirs, question);
    if (effect !== other) throw new Error(`ours says ${effect}, the other engine ${other}`);
    seen.add(effect);
  }
  if (seen.size < 2) throw new Error("the questions have one answer");
}
