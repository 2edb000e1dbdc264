import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect } from "vitest";
import {
  countReady,
  listDeadLetters,
  purgeDeadLetters,
  recallMessage,
  requeueDeadLetters,
  searchMessages,
} from "../../src/mailbox/index.js";
import { loadScript } from "../../src/redis/index.js";
import type { Clerk, MailOffice } from "../mailbox/open-mail.js";
import { MailModel, type Outcome, type Posted } from "./mail-model.js";

const keepMailbox = loadScript(new URL("../../src/mailbox/", import.meta.url).href, "keep-mailbox.lua");

const words = ["low", "normal", "high", "urgent"] as const;
const outcomes: readonly Outcome[] = ["done", "retry", "retry later", "reject", "extend"];

export type Step =
  | { do: "send"; from: number; priority: number; ack: boolean; key: number }
  | { do: "read"; who: number; limit: number; sender: number; least: number; reached: boolean }
  | { do: "peek"; who: number; limit: number }
  | { do: "settle"; who: number; which: number; outcome: Outcome }
  | { do: "reply"; who: number; which: number }
  | { do: "end"; who: number; inGoodOrder: boolean }
  | { do: "recall"; from: number; which: number }
  | { do: "delays end" | "claims end" | "expire" | "requeue" | "purge" };

const which = fc.nat({ max: 11 });
const someone = fc.nat({ max: 1 });
const doing = <Word extends string>(word: Word) => fc.constant(word);

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      ...{ do: doing("send"), from: someone, priority: fc.nat({ max: 3 }), ack: fc.boolean() },
      key: fc.nat({ max: 4 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      ...{
        do: doing("read"),
        who: someone,
        limit: fc.integer({ min: 1, max: 4 }),
        sender: fc.nat({ max: 5 }),
      },
      least: fc.constantFrom(0, 0, 0, 2),
      reached: fc.constantFrom(true, true, true, false),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: doing("peek"), who: someone, limit: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: doing("settle"), who: someone, which, outcome: fc.constantFrom(...outcomes) }),
  },
  { weight: 2, arbitrary: fc.record({ do: doing("reply"), who: someone, which }) },
  { weight: 2, arbitrary: fc.record({ do: doing("end"), who: someone, inGoodOrder: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: doing("recall"), from: someone, which }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("delays end", "delays end", "claims end", "expire", "requeue", "requeue", "purge"),
    }),
  },
);

/**
 * Does the steps to a real mailbox (or a queue) and to the model, and compares every answer, then everything that is
 * there in the end.
 */
export async function follow(office: MailOffice, job: boolean, steps: readonly Step[]): Promise<void> {
  const round = await Round.begin(office, job);
  for (const one of steps) await round.take(one);
  await round.compare();
}

class Round {
  readonly #office: MailOffice;
  readonly #box: string;
  readonly #model: MailModel;
  readonly #senders: readonly Clerk[];
  readonly #readers: Clerk[];
  readonly #job: boolean;
  #replies = 0;
  readonly #ids = new Map<Posted, string>();
  readonly #keys = new Map<
    string,
    { readonly posted: Posted; readonly priority: number; readonly ack: boolean }
  >();

  private constructor(office: MailOffice, job: boolean, box: string, senders: Clerk[], readers: Clerk[]) {
    this.#office = office;
    this.#job = job;
    this.#box = box;
    this.#model = new MailModel(job);
    this.#senders = senders;
    this.#readers = readers;
  }

  /** Two senders, and two runs of one agent, or two workers of one queue. */
  static async begin(office: MailOffice, job: boolean): Promise<Round> {
    // Names far enough from each other that none is taken for a slip of another.
    const round = randomBytes(6).toString("hex");
    const as = (name: string): Promise<Clerk> => office.as(`${name}-${round}`);
    const senders = [await as("ann"), await as("zoe")];
    const readers = job ? [await as("one"), await as("two")] : [await as("bob"), await as("bob")];
    const made = new Round(office, job, job ? `queue:work-${round}` : `bob-${round}`, senders, readers);
    for (const reader of readers) await reader.read(made.#place());
    return made;
  }

  #place(): { mailbox?: string } {
    return this.#job ? { mailbox: this.#box } : {};
  }

  #run(who: number): string {
    return this.#readers[who]!.caller.run.id;
  }

  #some(which: number): Posted | undefined {
    return this.#model.posted[which % Math.max(this.#model.posted.length, 1)];
  }

  #key(name: string): string {
    return `{${this.#office.namespace}:mb:${this.#box}}:${name}`;
  }

  async take(one: Step): Promise<void> {
    const model = this.#model;
    switch (one.do) {
      case "send":
        return this.#send(one);
      case "read": {
        const sender = this.#senders[one.sender]?.caller.principal.agent;
        const filter = { leastPriority: one.least, ...(sender ? { sender } : {}) };
        const expected = model.read(this.#run(one.who), one.limit, filter, one.reached);
        const page = await this.#readers[one.who]!.read(
          {
            ...this.#place(),
            limit: one.limit,
            ...(one.least ? { min_priority: words[one.least]! } : {}),
            ...(sender ? { sender } : {}),
          },
          { reached: one.reached },
        );
        expect(page.messages.map(({ body, delivery_count }) => [body, delivery_count])).toEqual(
          expected.map(({ body, count }) => [body, count]),
        );
        expect([page.unread, page.open]).toEqual([model.count("ready"), model.openAt(this.#run(one.who))]);
        return;
      }
      case "peek": {
        const page = await this.#readers[one.who]!.read({ ...this.#place(), limit: one.limit, peek: true });
        const expected = model.waiting({ leastPriority: 0 }).slice(0, one.limit);
        expect(page.messages.map(({ body }) => body)).toEqual(expected.map(({ body }) => body));
        return;
      }
      case "settle": {
        const message = this.#some(one.which);
        if (!message) return;
        const expected = model.settle(this.#run(one.who), message, one.outcome);
        const [outcome, delay] =
          one.outcome === "retry"
            ? (["retry", 0] as const)
            : one.outcome === "retry later"
              ? (["retry", 500] as const)
              : [one.outcome];
        const { results } = await this.#readers[one.who]!.ack(
          this.#ids.get(message)!,
          outcome,
          delay === undefined ? {} : { delay_seconds: delay },
        );
        expect(results[0]!.refusal?.code ?? results[0]!.state).toBe(expected);
        return;
      }
      case "reply": {
        const message = this.#some(one.which);
        if (!message || message.run === "" || message.gone) return;
        const sent = this.#readers[one.who]!.send(message.sender, `re ${message.body}, ${++this.#replies}`, {
          in_reply_to: this.#ids.get(message)!,
        });
        if (message.state === "recalled") {
          // It was delivered with a reply that never came, and taken back since: its sender alone sees it.
          await expect(sent).rejects.toThrow(/^mailbox\.not_yours/);
          return;
        }
        if (this.#job && message.run.split("/")[0] !== this.#run(one.who).split("/")[0]) {
          // Whoever had it once may still answer; it is no longer theirs to settle.
          await sent.catch((error: Error) => expect(error.message).toMatch(/^mailbox\.not_yours/));
        } else {
          await sent;
          model.settle(this.#run(one.who), message, "done");
        }
        return;
      }
      case "end": {
        const reader = this.#readers[one.who]!;
        model.end(this.#run(one.who), one.inGoodOrder);
        await reader.end(one.inGoodOrder);
        this.#readers[one.who] = await this.#office.as(reader.caller.principal.agent);
        return;
      }
      case "recall": {
        const message = this.#some(one.which);
        const sender = this.#senders[one.from]!.caller.principal.agent;
        if (!message) return;
        const done = await recallMessage(
          this.#office.context,
          this.#office.operator,
          sender,
          this.#ids.get(message)!,
        ).then(
          () => true,
          (error: Error) => {
            expect(error.message).toMatch(/^mailbox\.(not_yours|not_recallable)/);
            return false;
          },
        );
        expect(done).toBe(model.recall(sender, message));
        return;
      }
      case "delays end":
        model.delaysEnd();
        return this.#timeIsOver("delayed");
      case "claims end":
        model.claimsEnd();
        return this.#timeIsOver("open");
      case "expire":
        model.expire();
        return this.#timeIsOver("expiring", "ready");
      case "requeue": {
        const { context } = this.#office;
        expect(await requeueDeadLetters(context, this.#office.operator, this.#box, [])).toEqual({
          done: model.requeue(),
          left: 0,
        });
        return;
      }
      case "purge": {
        const { context } = this.#office;
        expect(await purgeDeadLetters(context, this.#office.operator, this.#box, [])).toEqual({
          done: model.purge(),
          left: 0,
        });
        return;
      }
    }
  }

  async #send({ from, priority, ack, key }: Extract<Step, { do: "send" }>): Promise<void> {
    const model = this.#model;
    const clerk = this.#senders[from]!;
    const sender = clerk.caller.principal.agent;
    const name = `${sender} ${key}`;
    // Keys 0 to 2 come again; higher ones stand for sends without a key.
    const known = key < 3 ? this.#keys.get(name) : undefined;
    const body = known?.posted.body ?? `message ${model.posted.length} of ${this.#box}`;
    const sent = clerk.send(this.#box, body, {
      ...{ priority: words[priority]!, ack_required: ack },
      ...(key < 3 ? { idempotency_key: name } : {}),
    });
    if (known && (known.priority !== priority || known.ack !== ack)) {
      await expect(sent).rejects.toThrow(/^mailbox\.idempotency_conflict/);
      return;
    }
    const receipt = await sent;
    expect(receipt.replayed).toBe(known !== undefined);
    if (known) {
      expect(receipt.message_id).toBe(this.#ids.get(known.posted));
      return;
    }
    const posted = model.post(body, sender, priority, ack);
    this.#ids.set(posted, receipt.message_id);
    if (key < 3) this.#keys.set(name, { posted, priority, ack });
  }

  /** What waits for a time finds it come, and the mailbox is kept as the sweeping process keeps it. */
  async #timeIsOver(name: string, only?: string): Promise<void> {
    const { store } = this.#office;
    const ids = (await store.command("ZRANGE", this.#key(name), "0", "-1")) as string[];
    for (const id of ids) {
      const record = (await store.command("HGET", this.#key("deliveries"), id)) as string;
      if (!only || record.startsWith(`${only}|`)) await store.command("ZADD", this.#key(name), "XX", "1", id);
    }
    await this.#office.context.run(this.#office.namespace, this.#box, keepMailbox, []);
  }

  /** Everything that is there, and then everything that can still be read. */
  async compare(): Promise<void> {
    const model = this.#model;
    const { context, namespace, store } = this.#office;
    const counted = await countReady(context, namespace, this.#box);
    expect({ ready: counted.unread, urgent: counted.urgent, open: counted.open, dead: counted.dead }).toEqual(
      {
        ready: model.count("ready"),
        urgent: model.posted.filter(({ state, priority }) => state === "ready" && priority === 3).length,
        open: model.count("open"),
        dead: model.count("dead"),
      },
    );
    const unsettled = model.count("ready", "delayed", "open");
    expect((await store.command("HGET", this.#key("meta"), "count")) ?? "0").toBe(String(unsettled));
    for (const clerk of this.#senders) {
      const { agent } = clerk.caller.principal;
      const own = model.posted.filter(
        ({ state, sender }) => sender === agent && ["ready", "delayed", "open"].includes(state),
      );
      expect((await store.command("HGET", this.#key("senders"), agent)) ?? "0").toBe(String(own.length));
      const found = new Map<string, string>();
      for (const one of (await searchMessages(context, clerk.caller, { sent: true, limit: 50 })).messages)
        found.set(one.id, one.states[0]!.state);
      for (const posted of model.posted) {
        const record = (await store.command("HGET", this.#key("deliveries"), this.#ids.get(posted)!)) as
          | string
          | null;
        // The 13th word of the record, see lua/delivery.lua.
        expect(record?.split("|")[12]).toBe(String(posted.failures));
        expect(record?.startsWith("purged|")).toBe(posted.gone);
      }
      for (const posted of model.posted)
        if (posted.sender === agent) expect(found.get(this.#ids.get(posted)!)).toMatch(shownAs(posted));
    }
    const letters = await listDeadLetters(context, namespace, this.#box, { limit: 100 });
    expect(letters.map(({ message }) => message.body).sort()).toEqual(
      model.posted
        .filter(({ state, gone }) => state === "dead" && !gone)
        .map(({ body }) => body)
        .sort(),
    );
    for (;;) {
      const expected = model.read(this.#run(0), 50, { leastPriority: 0 }, true);
      const page = await this.#readers[0]!.read({ ...this.#place(), limit: 50 });
      expect(page.messages.map(({ body, delivery_count }) => [body, delivery_count])).toEqual(
        expected.map(({ body, count }) => [body, count]),
      );
      if (expected.length === 0) return;
    }
  }
}

function shownAs({ state }: Posted): RegExp {
  const shown: Record<Posted["state"], RegExp> = {
    ...{ ready: /^stored$/, delayed: /^stored$/, open: /^read$/, settled: /^settled$/ },
    ...{ unconfirmed: /^unconfirmed$/, dead: /^(dead|expired)$/, recalled: /^recalled$/ },
  };
  return shown[state];
}
