import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import { operatorPrincipal, type RunId } from "../../src/identity/index.js";
import { listBudgets, type PolicyAnswer } from "../../src/policy/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { Cut, Server } from "./crowd.js";
import { openFaultHouse } from "./fault-house.js";
import { putTogether } from "./put-together.js";

const program = await putTogether("policy-process.mjs");

const rules = `
version: 1
unknown: allow
limits:
  - { id: all, of: cost, actions: ["*"], per: namespace, most: 10, window: 366d }
`;

/** Fifty agents: most in processes of several, some each behind an MCP server of its own. */
function gather(env: Record<string, string>): readonly Server[] {
  const names = Array.from({ length: 50 }, (_, n) => `agent-${n}`);
  return [
    ...[0, 11, 22, 33].map((from) => new Server("house", names.slice(from, from + 11), env, program)),
    ...names.slice(44).map((name) => new Server("stdio", [name], env)),
  ];
}

describeOnEachStore.onDisk("fifty agents that reserve 0.30 each of 10", (store) => {
  const houses: House[] = [];

  async function begin(settings: Record<string, string> = {}): Promise<{
    readonly house: House;
    readonly servers: readonly Server[];
    end(): Promise<void>;
  }> {
    const namespace = newNamespace();
    const house = await openFaultHouse(store().url, namespace, 20_000);
    houses.push(house);
    const operator = { principal: operatorPrincipal(namespace), run: { id: "operator/test" as RunId } };
    await house.ruleBook.put(operator, { text: rules, over: 0 });
    const servers = gather({
      ...{ PATH: process.env.PATH!, HOME: process.env.HOME!, REDIS_URL: store().url },
      ...{ LLM_MAILBOX_ALLOW_UNVERIFIED: "1", LLM_MAILBOX_NAMESPACE: namespace },
      ...{ LLM_MAILBOX_STRUCTURED: "1", LLM_MAILBOX_LOG_LEVEL: "silent" },
      ...settings,
    });
    for (const server of servers) server.start();
    return {
      house,
      servers,
      end: async () => {
        await Promise.all(servers.map((server) => server.kill()));
        await house.close();
      },
    };
  }

  const homeOf = (servers: readonly Server[]): ReadonlyMap<string, Server> =>
    new Map(servers.flatMap((server) => server.agents.map((agent) => [agent, server] as const)));

  const standing = async ({ config, policy }: House): Promise<{ used: number; held: number }> => {
    const principal = operatorPrincipal(config.namespace);
    const [limit] = await listBudgets(policy, { principal, run: { id: "operator/test" as RunId } });
    return { used: limit?.used ?? 0, held: limit?.held ?? 0 };
  };

  it("are granted exactly 33 times, whatever is killed meanwhile, and each answer stays what it was", {
    timeout: 180_000,
  }, async () => {
    const { house, servers, end } = await begin();
    let cuts = 0;
    let answered = 0;
    const input = { action: "llm.call", reserve: 0.3, idempotency_key: "once" };
    /** Asks until it is answered, as a client whose server died does. */
    const ask = async (agent: string, server: Server): Promise<PolicyAnswer> => {
      for (;;)
        try {
          const answer = (await server.call(agent, "check_policy", input)) as unknown as PolicyAnswer;
          answered++;
          return answer;
        } catch (error) {
          if (!(error instanceof Cut) && !/^store\./.test((error as Error).message)) throw error;
          cuts++;
          await delay(20);
        }
    };
    try {
      const homes = homeOf(servers);
      // What is killed is at work then, and not still starting.
      await Promise.all(
        servers.map((server) => server.call(server.agents[0]!, "check_policy", { action: "nothing.yet" })),
      );
      const asking = Promise.all(
        [...homes].map(async ([agent, server]) => {
          await delay(Math.random() * 500);
          return ask(agent, server);
        }),
      );
      let whileKilling = 0;
      for (let n = 0; n < 6; n++) {
        await delay(20 + Math.random() * 120);
        whileKilling = answered;
        const server = servers[n % 2 === 0 ? n % 4 : 4 + (n % 6)]!;
        await server.kill();
        server.start();
        if (n === 3 && store().name !== "redis-cluster") await store().restart();
      }
      const answers = await asking;
      expect(answers.filter(({ decision }) => decision === "allow")).toHaveLength(33);
      expect(answers.filter(({ decision }) => decision === "deny")).toHaveLength(17);
      expect(await standing(house)).toEqual({ used: 0, held: 9.9 });
      // Whoever asks again with its key gets what it got, and nobody gets more.
      const again = await Promise.all([...homes].map(([agent, server]) => ask(agent, server)));
      expect(again.map((one) => one.reservation_id)).toEqual(answers.map((one) => one.reservation_id));
      expect(new Set(again.map((one) => one.reservation_id)).size).toBe(34);
      expect(await standing(house)).toEqual({ used: 0, held: 9.9 });
      expect(answered).toBe(100);
      process.stderr.write(
        `${store().name}: 33 of 50 granted, ${whileKilling} answered before the last kill, ${cuts} calls cut and made again\n`,
      );
      expect(cuts).toBeGreaterThan(0);
      expect(whileKilling).toBeGreaterThan(0);
    } finally {
      await end();
    }
  });

  it("hold nothing any more once they died and their reservations are over", {
    timeout: 120_000,
  }, async () => {
    const { house, servers, end } = await begin({ LLM_MAILBOX_RESERVATION_SECONDS: "3" });
    try {
      const [dying, living] = [servers[0]!, servers[1]!];
      const reserve = (server: Server, amount: number) =>
        server.call(server.agents[0]!, "check_policy", { action: "llm.call", reserve: amount });
      expect(await reserve(dying, 10)).toMatchObject({ decision: "allow" });
      await dying.kill();
      expect(await reserve(living, 10)).toMatchObject({ decision: "deny" });
      expect(await standing(house)).toEqual({ used: 0, held: 10 });
      let answer = await reserve(living, 10);
      const until = Date.now() + 30_000;
      while (answer.decision === "deny" && Date.now() < until) {
        await delay(200);
        answer = await reserve(living, 10);
      }
      expect(answer).toMatchObject({ decision: "allow", reserved: 10 });
    } finally {
      await end();
    }
  });
});
