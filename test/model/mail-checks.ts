import { expect } from "vitest";
import { MailboxError } from "../../src/errors/index.js";
import {
  blockSender,
  listDeadLetters,
  type MailboxLimits,
  type MailDependencies,
  messageById,
  recallMessage,
  requeueDeadLetters,
  type SendReceipt,
  searchMessages,
} from "../../src/mailbox/index.js";
import { loadScript } from "../../src/redis/index.js";
import type { MailOffice } from "../mailbox/open-mail.js";

const keepMailbox = loadScript(new URL("../../src/mailbox/", import.meta.url).href, "keep-mailbox.lua");

interface Check {
  readonly what: string;
  readonly limits: Partial<MailboxLimits>;
  readonly holds: (office: MailOffice) => Promise<void>;
}

/** What the model leaves out: limits, time, who else is told, and what is recorded. */
export const checks: readonly Check[] = [
  {
    what: "one audit row for each decision, with numbers that grow",
    limits: {},
    holds: async (office) => {
      const [ann, bob] = [await office.as("ann"), await office.as("bob")];
      const rows = async (mailbox: string): Promise<string[]> =>
        (await office.store.command(
          "LRANGE",
          `{${office.namespace}:mb:${mailbox}}:audit`,
          0,
          -1,
        )) as string[];
      const added = async (mailbox: string, act: () => Promise<unknown>): Promise<number> => {
        const before = await rows(mailbox);
        await act();
        return (await rows(mailbox)).length - before.length;
      };
      const key = { idempotency_key: "k" };
      const first = await ann.send("bob", "1");
      expect(await added("bob", () => ann.send("bob", "2", key))).toBe(1);
      expect(await added("bob", () => ann.send("bob", "2", key))).toBe(0);
      expect(await added("ann", () => ann.send(["bob", "cleo"], "3"))).toBe(2);
      expect(
        await added("bob", () => recallMessage(office.context, office.operator, "ann", first.message_id)),
      ).toBe(1);
      let ids: readonly string[] = [];
      const read = async (): Promise<void> => {
        ids = (await bob.read()).messages.map(({ id }) => id);
      };
      expect(await added("bob", read)).toBe(1);
      expect(await added("bob", () => bob.ack([...ids], "reject"))).toBe(1);
      expect(await added("bob", () => requeueDeadLetters(office.context, office.operator, "bob", []))).toBe(
        1,
      );
      expect(await added("bob", () => blockSender(office.context, office.operator, "bob", "zoe"))).toBe(1);
      expect(await added("bob", () => searchMessages(office.context, bob.caller, {}))).toBe(1);
      const entry = (await rows("bob")).at(-1)!;
      const ahead = 4_000_000_000_000_000;
      await office.store.command(
        "RPUSH",
        `{${office.namespace}:mb:bob}:audit`,
        entry.replace(/^\d+/, String(ahead)),
      );
      await ann.send("bob", "4");
      expect((await rows("bob")).at(-1)).toMatch(new RegExp(`^${ahead + 1}\\|`));
    },
  },
  {
    what: "limits of count, sender and bytes at n and n + 1",
    limits: { mailboxMessages: 3, senderMessages: 2, mailboxBytes: 1_000 },
    holds: async (office) => {
      const [ann, zoe, ida] = [await office.as("ann"), await office.as("zoe"), await office.as("ida")];
      await office.as("bob");
      await ann.send("bob", "1");
      await ann.send("bob", "2");
      await expect(ann.send("bob", "3")).rejects.toThrow(/^mailbox.sender_full/);
      await expect(zoe.send("bob", "x".repeat(1_000))).rejects.toThrow(/^mailbox.full/);
      await zoe.send("bob", "4");
      await expect(ida.send("bob", "5")).rejects.toThrow(/^mailbox.full/);
    },
  },
  {
    what: "a blocked sender",
    limits: {},
    holds: async (office) => {
      const ann = await office.as("ann");
      await office.as("bob");
      await blockSender(office.context, office.operator, "bob", "ann");
      await expect(ann.send("bob", "x")).rejects.toThrow(/^mailbox.blocked/);
    },
  },
  {
    what: "under a lock: not after the lease, nor with a lower token than was seen, but for who shares",
    limits: {},
    holds: async (office) => {
      const ann = await office.as("ann");
      await office.as("bob");
      await office.as("cleo");
      const deps = office.context.deps as { leaseOf: MailDependencies["leaseOf"] };
      const leased = (shared: boolean, leftMs = 3_600_000): void => {
        deps.leaseOf = async (_, resource) => ({ resource, shared, expiresAt: office.store.now() + leftMs });
      };
      for (const to of ["bob", ["bob", "cleo"]]) {
        const send = (fencing_token: number, resource = "r"): Promise<SendReceipt> =>
          ann.send(to, "x", { resource, fencing_token, again: true });
        const refused = (token: number): Promise<unknown> =>
          expect(send(token)).rejects.toThrow(/^lock\.stale_token/);
        leased(false);
        await send(20);
        await send(20);
        await refused(19);
        await send(9, "other");
        leased(true);
        await refused(19);
        await send(31);
        await send(30);
        leased(false);
        await refused(30);
        await send(31);
        leased(true);
        await refused(30);
        leased(true, -5);
        await refused(40);
        leased(false);
        await send(39);
      }
    },
  },
  {
    what: "order when the clock goes back",
    limits: {},
    holds: async (office) => {
      const [ann, bob] = [await office.as("ann"), await office.as("bob")];
      await ann.send("bob", "1");
      await office.store.command("HSET", `{${office.namespace}:mb:bob}:meta`, "sequence", "4000000000000000");
      await ann.send("bob", "2");
      const last = await office.store.command("HGET", `{${office.namespace}:mb:bob}:meta`, "sequence");
      expect(last).toBe("4000000000000001");
      expect((await bob.read()).messages.map(({ body }) => body)).toEqual(["1", "2"]);
    },
  },
  {
    what: "a waiting reader is woken",
    limits: {},
    holds: async (office) => {
      const [ann, bob] = [await office.as("ann"), await office.as("bob")];
      const reading = bob.read({ wait_seconds: 2 });
      await new Promise((resolve) => setTimeout(resolve, 60));
      const sentAt = Date.now();
      await ann.send("bob", "x");
      expect((await reading).messages).toHaveLength(1);
      expect(Date.now() - sentAt).toBeLessThan(1_500);
    },
  },
  {
    what: "a long text is settled only when it was read to its end",
    limits: {},
    holds: async (office) => {
      const [ann, bob] = [await office.as("ann"), await office.as("bob")];
      await ann.send("bob", "x".repeat(20_000));
      await bob.read();
      expect((await bob.read()).open).toBe(1);
    },
  },
  {
    what: "one thread alone",
    limits: {},
    holds: async (office) => {
      const [ann, bob] = [await office.as("ann"), await office.as("bob")];
      await ann.send("bob", "other");
      const { message_id: thread } = await ann.send("bob", "this");
      expect((await bob.read({ thread })).messages.map(({ body }) => body)).toEqual(["this"]);
    },
  },
  {
    what: "filters beyond the first page",
    limits: {},
    holds: async (office) => {
      const [ann, zoe, bob] = [await office.as("ann"), await office.as("zoe"), await office.as("bob")];
      for (const n of [1, 2, 3]) {
        await ann.send("bob", `a${n}`);
        await zoe.send("bob", `z${n}`);
      }
      expect((await bob.read({ sender: "zoe", limit: 2 })).messages.map(({ body }) => body)).toEqual([
        "z1",
        "z2",
      ]);
      expect((await bob.read({ sender: "zoe", limit: 2 })).messages.map(({ body }) => body)).toEqual(["z3"]);
    },
  },
  {
    what: "a claim that is over is noticed by the next reader",
    limits: { claimMs: 1, longestClaimMs: 1 },
    holds: async (office) => {
      const [ann, one, two] = [await office.as("ann"), await office.as("one"), await office.as("two")];
      await ann.send("queue:q", "job");
      await one.read({ mailbox: "queue:q" });
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect((await two.read({ mailbox: "queue:q" })).messages).toHaveLength(1);
    },
  },
  {
    what: "history and dead letters are kept as long as the limits say",
    limits: { historyMs: 1, deadLetters: 1 },
    holds: async (office) => {
      const [ann, bob] = [await office.as("ann"), await office.as("bob")];
      const { message_id: settled } = await ann.send("bob", "settled");
      for (const body of ["dead 1", "dead 2"]) await ann.send("bob", body);
      const { messages } = await bob.read();
      await bob.ack(settled);
      for (const { id, body } of messages) if (body !== "settled") await bob.ack(id, "reject");
      await new Promise((resolve) => setTimeout(resolve, 5));
      await office.context.run(office.namespace, "bob", keepMailbox, []);
      await expect(messageById(office.context, bob.caller, settled)).rejects.toThrow(/^mailbox.not_yours/);
      expect(await listDeadLetters(office.context, office.namespace, "bob", { limit: 9 })).toHaveLength(1);
    },
  },
  {
    what: "a requeued job has all its tries again",
    limits: {},
    holds: async (office) => {
      const [ann, one] = [await office.as("ann"), await office.as("one")];
      await ann.send("queue:q", "job");
      const fail = async (): Promise<string> => {
        const [job] = (await one.read({ mailbox: "queue:q" })).messages;
        return (await one.ack(job!.id, "retry", { delay_seconds: 0 })).results[0]!.state;
      };
      expect([await fail(), await fail(), await fail()]).toEqual(["retrying", "retrying", "dead"]);
      await requeueDeadLetters(office.context, office.operator, "queue:q", []);
      expect([await fail(), await fail(), await fail()]).toEqual(["retrying", "retrying", "dead"]);
      expect((await ann.read()).messages.length).toBeGreaterThan(0);
    },
  },
  {
    what: "only dead letters are requeued",
    limits: {},
    holds: async (office) => {
      const [ann, bob] = [await office.as("ann"), await office.as("bob")];
      const { message_id: id } = await ann.send("bob", "x");
      await bob.read();
      expect(await requeueDeadLetters(office.context, office.operator, "bob", [id])).toEqual({
        done: 0,
        left: 0,
      });
      expect((await bob.read({ redeliver: true })).messages).toHaveLength(1);
    },
  },
  {
    what: "several recipients, once per key",
    limits: {},
    holds: async (office) => {
      const [ann, bob, zoe] = [await office.as("ann"), await office.as("bob"), await office.as("zoe")];
      const key = { idempotency_key: "k" };
      const first = await ann.send(["bob", "zoe"], "x", key);
      expect(await ann.send(["bob", "zoe"], "x", key)).toMatchObject({
        message_id: first.message_id,
        replayed: true,
      });
      await expect(ann.send(["bob", "zoe"], "y", key)).rejects.toThrow(/^mailbox.idempotency_conflict/);
      for (const reader of [bob, zoe]) expect((await reader.read()).messages).toHaveLength(1);
      expect(await office.store.command("EXISTS", `{${office.namespace}:mb:ann}:outbox`)).toBe(0);
      const { messages } = await searchMessages(office.context, ann.caller, { sent: true });
      expect(messages).toHaveLength(1);
    },
  },
  {
    what: "an acknowledgement is repeated by its key, whatever happened since",
    limits: {},
    holds: async (office) => {
      const [ann, one] = [await office.as("ann"), await office.as("one")];
      await ann.send("queue:q", "job");
      const [job] = (await one.read({ mailbox: "queue:q" })).messages;
      const retry = { delay_seconds: 0, idempotency_key: "k" };
      expect(await one.ack(job!.id, "retry", retry)).toMatchObject({ replayed: false });
      await one.read({ mailbox: "queue:q" });
      expect(await one.ack(job!.id, "retry", retry)).toMatchObject({
        replayed: true,
        results: [{ state: "retrying" }],
      });
      expect((await one.ack(job!.id, "done")).results[0]!.state).toBe("settled");
    },
  },
  {
    what: "sends of a minute and messages of a conversation at n and n + 1",
    limits: { conversationMessages: 3, sendsPerMinute: 1_000 },
    holds: async (office) => {
      const [ann, bob] = [await office.as("ann"), await office.as("bob")];
      const { message_id: origin } = await ann.send("bob", "begin");
      await bob.read();
      const key = { idempotency_key: "k" };
      // The one that began it counts too.
      await bob.send("ann", "1", { in_reply_to: origin });
      await bob.send("ann", "2", { in_reply_to: origin, ...key });
      expect(await bob.send("ann", "2", { in_reply_to: origin, ...key })).toMatchObject({ replayed: true });
      await expect(bob.send("ann", "3", { in_reply_to: origin })).rejects.toThrow(
        /^mailbox.conversation_exhausted/,
      );
    },
  },
  {
    what: "a page that was seen settles only what it still holds",
    limits: {},
    holds: async (office) => {
      const [ann, here, there] = [await office.as("ann"), await office.as("bob"), await office.as("bob")];
      const { message_id: id } = await ann.send("bob", "x");
      await here.read();
      await there.ack(id, "retry", { delay_seconds: 0 });
      expect((await there.read({}, { reached: false })).messages).toHaveLength(1);
      await here.read({ sender: "nobody-else" });
      expect((await there.read()).messages.map((one) => one.id)).toEqual([id]);
    },
  },
  {
    what: "a job is settled by the run that has it",
    limits: {},
    holds: async (office) => {
      const [ann, here, there] = [await office.as("ann"), await office.as("one"), await office.as("one")];
      const { message_id: id } = await ann.send("queue:q", "job");
      await here.read({ mailbox: "queue:q" });
      expect((await there.ack(id)).results[0]!.refusal?.code).toBe("delivery.superseded");
      expect((await here.ack(id)).results[0]!.state).toBe("settled");
    },
  },
  {
    what: "a recipient out of reach gets it by the next sweep",
    limits: {},
    holds: async (office) => {
      const [ann, bob, zoe] = [await office.as("ann"), await office.as("bob"), await office.as("zoe")];
      const run = office.store.run;
      office.store.run = (script, keys, ...rest) =>
        script.name === "send-message" && keys[0]!.includes(":mb:bob}")
          ? Promise.reject(new MailboxError("store.unavailable"))
          : run.call(office.store, script, keys, ...rest);
      const { recipients } = await ann.send(["bob", "zoe"], "x");
      expect(recipients.map(({ state }) => state)).toEqual(["pending", "stored"]);
      office.store.run = run;
      await office.store.command("ZADD", `{${office.namespace}:dir}:outboxes`, "XX", "1", "ann");
      await office.sweep();
      for (const reader of [bob, zoe]) expect((await reader.read()).messages).toHaveLength(1);
    },
  },
  {
    what: "what comes past its deadline does nothing",
    limits: {},
    holds: async (office) => {
      const ann = await office.as("ann");
      await office.as("bob");
      await ann.send("bob", "in time");
      const now = office.store.now;
      office.store.now = () => now.call(office.store) - 60_000;
      await expect(ann.send("bob", "too late")).rejects.toThrow(/^store\.unavailable/);
      office.store.now = now;
      expect(await office.store.command("HLEN", `{${office.namespace}:mb:bob}:messages`)).toBe(1);
    },
  },
];

/** Each script runs twice, as when its first answer is lost and it is repeated: only the second answer is seen. */
export function runTwice(office: MailOffice): void {
  const run = office.store.run.bind(office.store);
  office.store.run = async (script, ...rest) => {
    // The operator is told how many the last attempt found; what is done is done once all the same.
    if (script.name !== "manage-dead-letters") await run(script, ...rest);
    return run(script, ...rest);
  };
}

/** A retry of our own is no send of its own. */
export const checkUnderRepetition: Check = {
  what: "sends of a minute, each repeated by us",
  limits: { sendsPerMinute: 3 },
  holds: async (office) => {
    const ann = await office.as("ann");
    await office.as("bob");
    const intoMinute = office.store.now() % 60_000;
    if (intoMinute > 58_000) await new Promise((resolve) => setTimeout(resolve, 60_050 - intoMinute));
    for (const n of [1, 2, 3]) await ann.send("bob", `m${n}`);
    await expect(ann.send("bob", "m4")).rejects.toThrow(/^mailbox.rate_limited/);
  },
};
