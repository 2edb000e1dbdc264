import type { LockAnswer } from "../locks/index.js";
import type { PutStateResult, StatePage } from "../state/index.js";
import type { DemoAgent } from "./demo-agent.js";
import { type Check, type Stage, same } from "./demo-story.js";

const resource = "account:42";
const key = "accounts/42/balance";
const deposit = 50;

/** Who asks, in the order in which they ask: the most urgent comes last. */
const asking = [
  { name: "cleo", priority: 5 },
  { name: "ben", priority: 8 },
  { name: "ada", priority: 10 },
] as const;

type Teller = (typeof asking)[number] & { readonly agent: DemoAgent };

/**
 * The story of a record that three agents want to change at once. Each reads the balance, adds 50 and writes it under its
 * fencing token. Then once more, and the first of them is killed while it holds the lock.
 */
export async function tellLockStory(stage: Stage): Promise<Check[]> {
  const { say, pause } = stage;
  const bank = await stage.enter("bank");
  const tellers: Teller[] = [];
  for (const one of asking) tellers.push({ ...one, agent: await stage.enter(one.name) });
  await bank.call("put_state", { key, value: "1000", expected_version: 0 });
  say("bank", `keeps ${key} in shared state: 1,000`);
  await pause();

  const first = await queueUp(stage, bank, tellers);
  const order: string[] = [];
  await Promise.all(
    first.turns.map(async ({ teller, turn }) => {
      const lease = await turn;
      order.push(teller.name);
      say(teller.name, `has the lock (priority ${teller.priority}), token ${lease.token}`);
      say(teller.name, `adds ${deposit}: the balance is ${grouped(await add(teller.agent, lease))}`);
      await teller.agent.call("release_lock", { lock_id: lease.lock_id });
    }),
  );
  const after = await balance(bank);
  say("bank", `finds ${grouped(after.value)}`);
  await pause();

  say("demo", "the same once more, and whoever is first is killed while it holds the lock");
  const second = await queueUp(stage, bank, tellers);
  const ada = second.turns.find(({ teller }) => teller.name === "ada")!;
  const killed = await ada.turn;
  const seen = await balance(ada.teller.agent);
  say("ada", `has the lock, token ${killed.token}, and reads the balance: ${grouped(seen.value)}`);
  const end = await ada.teller.agent.kill();
  const killedAt = Date.now();
  say("demo", `kill -9 ${ada.teller.agent.pid}: ada is gone with the lock in her hands`);
  const orderAfter: string[] = [];
  let tookOverMs = 0;
  await Promise.all(
    second.turns
      .filter((one) => one !== ada)
      .map(async ({ teller, turn }) => {
        const lease = await turn;
        if (orderAfter.length === 0) tookOverMs = Date.now() - killedAt;
        orderAfter.push(teller.name);
        say(
          teller.name,
          `has the lock, token ${lease.token}, ${(Date.now() - killedAt) / 1000} s after ada's end`,
        );
        say(teller.name, `adds ${deposit}: the balance is ${grouped(await add(teller.agent, lease))}`);
        await teller.agent.call("release_lock", { lock_id: lease.lock_id });
      }),
  );
  const again = await stage.enter("ada");
  say("ada", `is started anew (process ${again.pid}) and goes on as if nothing had happened`);
  const late = await refusalOf(
    again.call("put_state", { key, value: "0", resource, fencing_token: killed.token }),
  );
  say("ada", `writes under her old token: ${late.slice(0, late.indexOf(":", late.indexOf("lock.")))}`);
  const last = await balance(bank);
  say("bank", `finds ${grouped(last.value)}`);

  return [
    {
      holds: same(order, ["ada", "ben", "cleo"]),
      what: "the lock was granted in the order of priority (10, 8, 5), not in that of asking",
    },
    { holds: after.value === 1_150, what: "no deposit was lost: 1,000 and three times 50 are 1,150" },
    {
      holds: end.signal === "SIGKILL" && same(orderAfter, ["ben", "cleo"]) && tookOverMs < 15_000,
      what: "the lock of the killed one went to the next, and from there on in order",
    },
    {
      holds: late.includes("lock.stale_token"),
      what: "the killed one, started anew, can write nothing any more under its old token",
    },
    { holds: last.value === 1_250, what: "what the killed one had not written is not there: 1,250" },
  ];
}

interface Turn {
  readonly teller: Teller;
  readonly turn: Promise<Lease>;
}

interface Lease {
  readonly lock_id: string;
  readonly token: number;
}

/** The bank holds the lock until all three stand in line for it. */
async function queueUp(
  { say, pause }: Stage,
  bank: DemoAgent,
  tellers: readonly Teller[],
): Promise<{ readonly turns: readonly Turn[] }> {
  const held = leaseOf(await bank.call<LockAnswer>("acquire_lock", { resources: [resource] }), "bank");
  say("bank", `holds ${resource} while they come`);
  const turns: Turn[] = [];
  for (const teller of tellers) {
    const { agent, name, priority } = teller;
    const queued = await agent.call<LockAnswer>("acquire_lock", { resources: [resource], priority });
    if (queued.state !== "queued") throw new Error(`${name} did not have to wait`);
    say(name, `asks with priority ${priority}: not yet, place ${queued.place}`);
    const wait = { ticket: queued.ticket, wait_seconds: 40 };
    const turn = agent.call<LockAnswer>("acquire_lock", wait).then((answer) => leaseOf(answer, name));
    // One that is killed while it waits is told of by its end.
    turn.catch(() => undefined);
    turns.push({ teller, turn });
  }
  await pause();
  await bank.call("release_lock", { lock_id: held.lock_id });
  say("bank", `releases ${resource}`);
  return { turns };
}

function leaseOf(answer: LockAnswer, name: string): Lease {
  const { lock_id, token } = answer;
  if (lock_id === undefined || token === undefined) throw new Error(`${name} did not get the lock`);
  return { lock_id, token };
}

/** Reads the balance, adds to it and writes it: what goes wrong when two do it at once. */
async function add(agent: DemoAgent, { token }: Lease): Promise<number> {
  const { value, version } = await balance(agent);
  const written = await agent.call<PutStateResult>("put_state", {
    ...{ key, value: String(value + deposit), expected_version: version },
    ...{ resource, fencing_token: token },
  });
  if (written.state !== "stored")
    throw new Error(`${agent.name} could not write the balance: ${written.state}`);
  return value + deposit;
}

async function balance(agent: DemoAgent): Promise<{ readonly value: number; readonly version: number }> {
  const { entries } = await agent.call<StatePage>("get_state", { key });
  return { value: Number(entries[0]!.value), version: entries[0]!.version };
}

async function refusalOf(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => "it was written",
    (error: Error) => error.message,
  );
}

function grouped(value: number): string {
  return value.toLocaleString("en");
}
