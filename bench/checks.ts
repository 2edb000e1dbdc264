import { operatorPrincipal, type RunId } from "../src/identity/index.js";
import { type Measurement, ms, times, us } from "./finding.js";
import { openRooms } from "./in-process.js";
import { inTurn, percentile, ratios, spread } from "./measure.js";
import { StdioClient } from "./stdio-client.js";

const raised = { LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "1000000" };

/** The rules that hold where nobody configured any, with more to spend. */
const rules = `
version: 1
profile: standard
limits:
  - { id: spend-others, of: cost, actions: ["*"], per: agent, most: 1000000, window: 1d }
`;

/** What a check costs that reserves, against a tool that does nothing in the same process. */
export const checks: Measurement = {
  name: "checks",
  raised,
  async measure(store, { quick }) {
    const [rounds, perRound, warming] = quick ? [3, 64, 2] : [15, 320, 12];
    const house = await openRooms(store, raised);
    const operator = { principal: operatorPrincipal("default"), run: { id: "operator/bench" as RunId } };
    await house.ruleBook.put(operator, { text: rules, over: await house.ruleBook.newest("default") });
    let trips = 0;
    const client = await StdioClient.open(store, "checker", raised);
    const cpuUs = { nothing: [] as number[], check: [] as number[], look: [] as number[] };
    const latencies: number[] = [];
    let n = 0;
    const part = (into: number[], call: () => Promise<string>) => async (round: number) => {
      const before = await client.cpuUs();
      for (let made = 0; made < perRound; made++) {
        const from = performance.now();
        await call();
        if (round >= warming && into === cpuUs.check) latencies.push(performance.now() - from);
      }
      const used = (await client.cpuUs()) - before;
      if (round >= warming) into.push(used / perRound);
    };
    await inTurn(rounds + warming, [
      part(cpuUs.nothing, () => client.call("bench_nothing")),
      part(cpuUs.look, () => client.call("check_policy", { action: "file.read", resource: `src/${n++}.ts` })),
      part(cpuUs.check, async () => {
        const text = await client.call("check_policy", {
          action: "llm.call",
          context: { model: "large", arguments: { prompt: n++ } },
          reserve: 0.01,
        });
        if (!text.startsWith("allow")) throw new Error(text);
        trips++;
        return text;
      }),
    ]);
    await client.close();
    await house.close();
    if (trips !== (rounds + warming) * perRound) throw new Error(`${trips} were reserved`);
    const ratio = ratios(cpuUs.check, cpuUs.nothing);
    return [
      {
        what: "CPU of the server per `check_policy` that reserves, by the profile `standard`, against a tool that does nothing",
        store: store.name,
        value: times(ratio),
        aim: "≤ 3",
        met: ratio.median <= 3,
        beside: [
          `${us(spread(cpuUs.check).median)} against ${us(spread(cpuUs.nothing).median)}`,
          `without a reservation ${times(ratios(cpuUs.look, cpuUs.nothing))}`,
          `latency p50 ${ms(percentile(latencies, 0.5))}, p99 ${ms(percentile(latencies, 0.99))}`,
        ].join("; "),
      },
    ];
  },
};
