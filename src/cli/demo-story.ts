import type { DeliveredMessage, Inbox, SearchResult, SendReceipt } from "../mailbox/index.js";
import type { DemoAgent } from "./demo-agent.js";

export interface Step {
  readonly seconds: number;
  readonly who: string;
  readonly what: string;
}

export interface Check {
  readonly holds: boolean;
  readonly what: string;
}

/** What the story is played on: a store of its own, agents, and the clock. */
export interface Stage {
  readonly dataDir: string;
  readonly steps: readonly Step[];
  enter(name: string): Promise<DemoAgent>;
  say(who: string, what: string): void;
  /** A breath, so that a person can follow; programs do not need it. */
  pause(): Promise<void>;
}

const queue = "queue:builds";
const topic = "topic:release";
const job = "Build release 1.4.0 from tag v1.4.0 and say where the package is.";
const progress = ["1.4.0: compiled", "1.4.0: 312 tests passed", "1.4.0: package uploaded"];
const result = "Release 1.4.0 is built: dist/app-1.4.0.tgz, 312 tests passed.";

/** The story: a job is handed over, its first worker is killed, the second finishes it, and everybody hears of it. */
export async function tellStory(stage: Stage): Promise<Check[]> {
  const { say, pause } = stage;
  const planner = await stage.enter("planner");
  const status = await planner.call<{ store: string; tier: string }>("my_status", {
    describe: "plans releases",
  });
  say("planner", `is here (process ${planner.pid}); the store is ${status.store}, durability ${status.tier}`);
  const [ada, ben] = await Promise.all([stage.enter("ada"), stage.enter("ben")]);
  for (const agent of [planner, ada, ben]) {
    await agent.call("subscribe_topic", { topic: "release" });
    say(agent.name, `follows ${topic}${agent === planner ? "" : ` (process ${agent.pid})`}`);
  }
  await pause();

  const order = { to: [queue], subject: "Release 1.4.0", body: job, idempotency_key: "release-1.4.0" };
  const sent = await planner.call<SendReceipt>("send_message", order);
  say("planner", `→ ${queue}  “${job}”\n${sent.message_id}, stored`);
  const repeated = await planner.call<SendReceipt>("send_message", order);
  say("planner", "sends it again, as a client does that has lost the answer: it is in the queue once");
  await pause();

  const first = await nextJob(ada, 20);
  say("ada", `takes the job (delivery ${first.delivery_count}) and starts to build`);
  const waiting = nextJob(ben, 40);
  say("ben", "waits for the next job; there is none");
  await pause();

  const killedAt = Date.now();
  const end = await ada.kill();
  say("demo", `kill -9 ${ada.pid}: ada is gone in the middle of her work`);
  const second = await waiting;
  const tookOver = ((Date.now() - killedAt) / 1000).toFixed(1);
  say("ben", `is given ada's job (delivery ${second.delivery_count}), ${tookOver} s after her end`);
  await pause();

  const published: string[] = [];
  for (const news of progress) {
    const receipt = await ben.call<SendReceipt>("send_message", { to: [topic], body: news });
    published.push(receipt.message_id);
    say("ben", `→ ${topic}  “${news}”`);
    await pause();
  }
  const reply = await ben.call<SendReceipt>("send_message", {
    to: ["planner"],
    body: result,
    in_reply_to: second.id,
  });
  say("ben", `→ planner  “${result}” (a reply, which settles the job)`);
  await pause();

  const plannerRead = await readUntil(planner, (messages) =>
    messages.some(({ from, in_reply_to }) => from === "ben" && in_reply_to === sent.message_id),
  );
  for (const message of plannerRead)
    say("planner", `reads from ${message.from} to ${message.to}: “${message.body}”`);
  const known = await planner.call<SearchResult>("search_messages", { sent: true });
  const state = known.messages.find(({ id }) => id === sent.message_id)?.states[0]?.state;
  say("planner", `looks up the job it sent: ${state}`);
  await pause();

  const adaAgain = await stage.enter("ada");
  say("ada", `is back (process ${adaAgain.pid}) and looks for jobs and news`);
  const adaRead = await readUntil(adaAgain, (messages) => messages.length >= progress.length);
  for (const message of adaRead) say("ada", `reads what she missed: “${message.body}”`);
  const left = await adaAgain.call<Inbox>("read_inbox", { mailbox: queue });
  say("ada", left.messages.length === 0 ? `finds no job left in ${queue}` : "finds a job nobody should see");

  const plannerNews = newsOf(plannerRead);
  const adaNews = newsOf(adaRead);
  const replies = plannerRead.filter(({ in_reply_to }) => in_reply_to === sent.message_id);
  return [
    {
      holds:
        end.signal === "SIGKILL" &&
        first.id === sent.message_id &&
        second.id === sent.message_id &&
        first.delivery_count === 1 &&
        second.delivery_count === 2,
      what: "the job went to ada (delivery 1) and, after she was killed, to ben (delivery 2)",
    },
    {
      holds: repeated.replayed && repeated.message_id === sent.message_id && left.messages.length === 0,
      what: "the repeated send put nothing into the queue: one job, one id",
    },
    {
      holds: replies.length === 1 && replies[0]!.id === reply.message_id && left.unread + left.open === 0,
      what: "nothing was done twice: one reply came, and no job is left or open",
    },
    {
      holds: [...published, reply.message_id].every((id) => plannerRead.some((message) => message.id === id)),
      what: "nothing was lost: planner has each message that ben wrote",
    },
    {
      holds: same(plannerNews, published) && same(adaNews, published),
      what: `order was kept: planner and ada read ${topic} as it was written, ada although she was dead then`,
    },
    { holds: state === "settled", what: "planner can see that its job is settled" },
  ];
}

async function nextJob(agent: DemoAgent, waitSeconds: number): Promise<DeliveredMessage> {
  const { messages } = await agent.call<Inbox>("read_inbox", { mailbox: queue, wait_seconds: waitSeconds });
  const [message] = messages;
  if (!message) throw new Error(`${agent.name} waited ${waitSeconds} s and got no job`);
  return message;
}

/** What the agent reads until it has what it waits for; each reading settles the one before. */
async function readUntil(
  agent: DemoAgent,
  isEnough: (messages: readonly DeliveredMessage[]) => boolean,
): Promise<readonly DeliveredMessage[]> {
  const read: DeliveredMessage[] = [];
  for (;;) {
    const { messages } = await agent.call<Inbox>("read_inbox", { wait_seconds: isEnough(read) ? 0 : 20 });
    read.push(...messages);
    if (messages.length > 0) continue;
    if (isEnough(read)) return read;
    throw new Error(`${agent.name} waited 20 s for something that did not come`);
  }
}

function newsOf(messages: readonly DeliveredMessage[]): readonly string[] {
  return messages.filter(({ to }) => to === topic).map(({ id }) => id);
}

export function same(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((one, n) => one === others[n]);
}
