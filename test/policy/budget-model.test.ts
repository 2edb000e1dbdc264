import { afterAll, beforeAll, expect, it } from "vitest";
import { isRefusal } from "../../src/errors/index.js";
import { type Caller, localPrincipal, noFacts, type RunId } from "../../src/identity/index.js";
import {
  checkPolicy,
  defaultPolicyLimits,
  PolicyContext,
  settleReservation,
} from "../../src/policy/index.js";
import { compileRules } from "../../src/policy/rule-compiler.js";
import { policyKeys, Store } from "../../src/redis/index.js";
import { describeOnEachStore, patientMs, type StoreName } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { BudgetModel, type ModelLimit } from "./budget-model.js";
import { moveTime } from "./policy-desk.js";

/** Where a script costs most of a millisecond, all of them take minutes: there the long tests follow them all. */
function schedulesOn(store: StoreName): number {
  const whole = store === "redis-server" || process.env.MAILBOX_TEST_LONG === "1";
  return Number(process.env.MAILBOX_MODEL_SCHEDULES ?? (whole ? 10_000 : 250));
}
const firstSeed = Number(process.env.MAILBOX_MODEL_SEED ?? Date.now() % 1_000_000);
/** So many schedules go on at the same time. */
const abreast = 100;

const minuteMs = 60_000;
const reservationMs = 2 * minuteMs;
const limits: readonly ModelLimit[] = [
  { id: "mine", per: "agent", most: 4_000_000, windowMs: 60 * minuteMs, unsettled: "release" },
  { id: "ours", per: "namespace", most: 6_000_000, windowMs: 10 * minuteMs, unsettled: "charge" },
];
const rules = compileRules(`
version: 1
unknown: allow
limits:
  - { id: mine, of: cost, actions: ["*"], per: agent, most: 4, window: 1h }
  - { id: ours, of: cost, actions: ["*"], per: namespace, most: 6, window: 10m, unsettled: charge }
`);

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** As `expect`, which is asked where they differ: to ask it each time costs more than the call that is looked at. */
function same(actual: string, meant: string): void {
  if (actual !== meant) expect(actual).toBe(meant);
}

interface Tally {
  granted: number;
  denied: number;
  settled: number;
  repeated: number;
}

describeOnEachStore("reserving, settling, expiring and repeating at random", (store) => {
  let opened: Store;
  let context: PolicyContext;
  let move: ReturnType<typeof moveTime>;
  beforeAll(async () => {
    opened = await Store.open({ endpoint: { url: store().url }, label: "test", callTimeoutMs: patientMs });
    move = moveTime(opened);
    const never = (): never => {
      throw new Error("nobody is asked");
    };
    context = new PolicyContext({
      store: opened,
      limits: { ...defaultPolicyLimits, reservationMs },
      // Who may ask is tried elsewhere.
      admit: async () => ({ row: "" }),
      rightsOf: async () => Object.assign(() => true, { roles: [] }),
      record: async () => {},
      inForce: () => ({ version: 1, rules }),
      factsOf: async () => noFacts,
      readsOf: async () => ({ unverified: [], foreign: [] }),
      ...{ openApproval: never, claimApproval: never, awaitApproval: never, notify: never, log: never },
    });
  });
  afterAll(() => opened.close());

  async function follow(seed: number, tally: Tally): Promise<void> {
    const random = randomFrom(seed);
    const below = (most: number): number => Math.floor(random() * most);
    const namespace = newNamespace();
    const model = new BudgetModel(limits, reservationMs);
    // Near the end of a window, so that schedules go over it.
    let now = Date.UTC(2026, 5, 15, 12) - below(20) * minuteMs;
    move(namespace, now);
    const caller = (agent: string): Caller => ({
      principal: localPrincipal(namespace, agent),
      run: { id: `${agent}/1` as RunId },
    });
    const reservations: { readonly id: string; readonly agent: string }[] = [];
    const calls: { readonly agent: string; readonly reserve: number; readonly key: string; id?: string }[] =
      [];
    const agentAt = (n: number): string => ["alice", "bob", "carl"][n]!;
    const check = ({ agent, reserve, key }: (typeof calls)[number]) =>
      checkPolicy(context, caller(agent), { action: "x", reserve, idempotency_key: key });
    for (let n = 4 + below(10); n > 0; n--) {
      const what = random();
      if (what < 0.45 || reservations.length === 0) {
        const call = { agent: agentAt(below(3)), reserve: (1 + below(30)) / 10, key: `k${n}` };
        const amount = Math.round(call.reserve * 1e6);
        const may = model.mayReserve(call.agent, amount, now);
        const { decision, reservation_id: id, limits: told } = await check(call);
        same(decision, may ? "allow" : "deny");
        tally[may ? "granted" : "denied"]++;
        if (id === undefined) continue;
        model.reserved(id, call.agent, amount, now);
        reservations.push({ id, agent: call.agent });
        calls.push({ ...call, id });
        for (const { used, held, most } of told)
          if (!(used + held <= most + 1e-9)) expect(used + held).toBeLessThanOrEqual(most);
      } else if (what < 0.55 && calls.length > 0) {
        const call = calls[below(calls.length)]!;
        const again = await check(call);
        expect(again).toMatchObject({ decision: "allow", replayed: true, reservation_id: call.id });
        tally.repeated++;
      } else if (what < 0.85) {
        const { id, agent } = reservations[below(reservations.length)]!;
        const by = random() < 0.1 ? agentAt(below(3)) : agent;
        const cost = below(35) / 10;
        const meant = model.settle(id, by, Math.round(cost * 1e6), now);
        const answer = await settleReservation(context, caller(by), { reservation_id: id, cost }).then(
          ({ replayed }) => (replayed ? "once" : "settled"),
          (error: unknown) =>
            isRefusal(error, "budget.unknown_reservation")
              ? "unknown"
              : isRefusal(error, "budget.already_settled")
                ? "otherwise"
                : String(error),
        );
        same(answer, meant);
        tally.settled++;
      } else {
        // To the instant something expires as often as somewhere else.
        now += random() < 0.5 ? reservationMs : below(6 * minuteMs);
        move(namespace, now);
      }
    }
    // Whatever was still open is over now, and swept by the next call.
    now += reservationMs;
    move(namespace, now);
    await checkPolicy(context, caller("dora"), { action: "x" });
    const kept = await opened.hash(policyKeys(namespace).counts);
    for (const agent of ["alice", "bob", "carl"])
      for (const { id, used, held } of model.stand(agent, now)) {
        const { per, windowMs } = limits.find((one) => one.id === id)!;
        const subject = per === "agent" ? `agent:${agent}` : "namespace";
        const text = kept.get(`l|cost|${id}|${subject}|${windowMs}|${now - (now % windowMs)}`);
        same((text ?? "0,0").split(",").slice(0, 2).map(Number).join(), `${used},${held}`);
      }
  }

  it("never goes beyond a limit, and does what the model says", { timeout: 600_000 }, async () => {
    const tally: Tally = { granted: 0, denied: 0, settled: 0, repeated: 0 };
    const from = Date.now();
    const schedules = schedulesOn(store().name);
    let next = 0;
    const walk = async (): Promise<void> => {
      while (next < schedules) {
        const seed = firstSeed + next++;
        try {
          await follow(seed, tally);
        } catch (error) {
          throw new Error(
            `MAILBOX_MODEL_SEED=${seed} MAILBOX_MODEL_SCHEDULES=1: ${(error as Error).message}`,
          );
        }
      }
    };
    await Promise.all(Array.from({ length: abreast }, walk));
    process.stderr.write(
      `${schedules} schedules from seed ${firstSeed} on ${store().name} in ${Math.round((Date.now() - from) / 1000)} s: ${JSON.stringify(tally)}\n`,
    );
    // Schedules in which nothing is refused, or nothing settled, would prove nothing.
    for (const count of Object.values(tally)) expect(count).toBeGreaterThanOrEqual(schedules / 4);
  });
});
