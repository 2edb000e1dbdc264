import { operatorPrincipal, type RunId } from "../src/identity/index.js";
import { measureAtOnce, measureRested, restMs, type Series } from "./cpu-of-calls.js";
import { type Finding, type Measurement, ms, times, us } from "./finding.js";
import { openRooms } from "./in-process.js";
import { percentile, ratios, spread } from "./measure.js";
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
    const house = await openRooms(store, raised);
    const operator = { principal: operatorPrincipal("default"), run: { id: "operator/bench" as RunId } };
    await house.ruleBook.put(operator, { text: rules, over: await house.ruleBook.newest("default") });
    const client = await StdioClient.open(store, "checker", raised);
    let asked = 0;
    let reserved = 0;
    const nothing = (): Promise<string> => client.call("bench_nothing");
    const look = (): Promise<string> =>
      client.call("check_policy", { action: "file.read", resource: `src/${asked++}.ts` });
    const check = async (): Promise<void> => {
      const text = await client.call("check_policy", {
        action: "llm.call",
        context: { model: "large", arguments: { prompt: reserved } },
        reserve: 0.01,
      });
      if (!text.startsWith("allow")) throw new Error(text);
      reserved++;
    };
    const pids = [client.child.pid!];
    const kinds = {
      nothing: { pids, call: nothing, nothing },
      look: { pids, call: look, nothing },
      check: { pids, call: check, nothing },
    };
    const options = { quick, storePid: store.pid };
    const rested = await measureRested(kinds, options);
    const atOnce = await measureAtOnce(kinds, options);
    await client.close();
    await house.close();
    const finding = (of: Kinds, how: string): Finding => {
      const ratio = ratios(of.check.cpuUs, of.nothing.cpuUs);
      return {
        what: `CPU of the server per \`check_policy\` that reserves, by the profile \`standard\`, against a tool that does nothing, ${how}`,
        store: store.name,
        value: times(ratio),
        aim: "≤ 3",
        met: ratio.median <= 3,
        beside: [
          `${us(spread(of.check.cpuUs).median)} against ${us(spread(of.nothing.cpuUs).median)}`,
          `without a reservation ${times(ratios(of.look.cpuUs, of.nothing.cpuUs))}`,
          `latency p50 ${ms(percentile(of.check.latencyMs, 0.5))}, p99 ${ms(percentile(of.check.latencyMs, 0.99))}`,
        ].join("; "),
      };
    };
    return [
      finding(rested, `${restMs} ms after the call before`),
      finding(atOnce, "one at once after another"),
    ];
  },
};

type Kinds = Readonly<Record<"nothing" | "look" | "check", Series>>;
