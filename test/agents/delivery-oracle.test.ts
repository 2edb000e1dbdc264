import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Grant } from "../../src/agents/index.js";
import { type House, openHouse } from "../../src/compose.js";
import { readConfig } from "../../src/config/index.js";
import { isRefusal } from "../../src/errors/index.js";
import { type Caller, localPrincipal, type Role, type RunId } from "../../src/identity/index.js";
import { openLog } from "../../src/observability/index.js";
import { startStore, type TestStore } from "../stores/index.js";
import { Randomness, randomRules, topicsOf } from "./random-rules.js";
import { mayByGrants } from "./rules-oracle.js";

const seed = Number(process.env.ORACLE_SEED ?? 20_261_125);
const rounds = 48;
const publishes = 6;

describe(`random grants, subscriptions and publishes on a store (ORACLE_SEED=${seed})`, () => {
  let store: TestStore;
  let house: House;
  beforeAll(async () => {
    store = await startStore("embedded");
    house = await openHouse(
      readConfig({ REDIS_URL: store.url, LLM_MAILBOX_ALLOW_UNVERIFIED: "1" }),
      openLog("error"),
    );
  });
  afterAll(async () => {
    await house?.close();
    await store?.stop();
  });

  it("deliver exactly what a brute-force oracle says, counts included", async () => {
    const random = new Randomness(seed);
    const seen = { triples: 0, delivered: 0, hidden: 0, refusedPublish: 0, refusedFollow: 0 };
    for (let round = 0; round < rounds; round++) {
      const namespace = `oracle-${round}`;
      const now = house.store.now();
      const grants = [...randomRules(random, now), ...denialsOf(random)];
      const setRules = () =>
        house.access.change(
          namespace,
          grants.map((grant) => ({ field: `grant:${grant.id}` as const, value: JSON.stringify(grant) })),
          { row: "" },
        );
      // What is granted before counts when a pattern is followed, and what is granted after only at delivery.
      const isBefore = round % 3 > 0;
      if (isBefore) await setRules();
      const callerOf = (agent: string, role: Role): Caller => ({
        principal: { ...localPrincipal(namespace, agent), roles: [role] },
        run: { id: `${agent}/1` as RunId },
      });
      const may = (
        agent: string,
        role: Role,
        action: "topic.read" | "topic.publish",
        topic: string,
      ): boolean => mayByGrants(grants, agent, [role], action, `topic:${topic}`, now + 1);
      const told = `round ${round}: ${JSON.stringify(grants)}`;

      const role = random.of(["agent", "observer"] as const);
      const bob = callerOf("bob", role);
      const patterns = [...new Set([random.pattern(), random.pattern()].map((levels) => levels.join(".")))];
      const followed: string[] = [];
      for (const topic of patterns) {
        const receipt = await refusalOf(
          house.rooms.topics.subscribeTopic(bob, { topic, start_at: "earliest" }),
        );
        expect(receipt, `${told} ${role} follows ${topic}`).toBe(
          !isBefore || may("bob", role, "topic.read", topic) ? undefined : "access.denied",
        );
        if (receipt === undefined) followed.push(topic);
        else seen.refusedFollow++;
      }

      if (!isBefore) await setRules();

      const expected: string[] = [];
      for (let n = 0; n < publishes; n++) {
        const topic = random.of(topicsOf);
        const body = `${topic} ${n}`;
        const sent = await refusalOf(
          house.rooms.mail.sendMessage(callerOf("carol", "agent"), { to: [`topic:${topic}`], body }),
        );
        const isPublished = may("carol", "agent", "topic.publish", topic);
        expect(sent, `${told} publish to ${topic}`).toBe(isPublished ? undefined : "access.denied");
        const isMeant = followed.some((pattern) => random.meant(pattern.split("."), topic));
        const isReadable = may("bob", role, "topic.read", topic);
        if (isPublished && isMeant && isReadable) expected.push(body);
        seen.triples += patterns.length;
        if (!isPublished) seen.refusedPublish++;
        else if (isMeant && !isReadable) seen.hidden++;
        else if (isMeant) seen.delivered++;
      }

      const mayLook = mayByGrants(grants, "bob", [role], "mailbox.read", "bob", now + 1);
      const heads = { seen: [], unseen: [], filter: { minPriority: 0 }, limit: 0 };
      expect((await house.topics.feed.heads(bob, heads)).unread, `${told} unread of ${role}`).toBe(
        expected.length,
      );
      if (!mayLook) {
        const refused = await refusalOf(house.rooms.mail.readInbox(bob, {}, { maxChars: 10_500 }));
        expect(refused, told).toBe("access.denied");
        continue;
      }
      const inbox = await house.rooms.mail.readInbox(bob, { limit: 20 }, { maxChars: 100_000 });
      expect(inbox.messages.map(({ body }) => body).sort(), `${told} delivered to ${role}`).toEqual(
        expected.sort(),
      );
      expect(inbox.collapsed).toEqual([]);
    }
    expect(seen.triples).toBeGreaterThanOrEqual(300);
    for (const count of [seen.delivered, seen.hidden])
      expect(count, JSON.stringify(seen)).toBeGreaterThan(10);
    for (const count of [seen.refusedPublish, seen.refusedFollow])
      expect(count, JSON.stringify(seen)).toBeGreaterThan(0);
  });
});

/** Without these few topics would be hidden from one who follows them. */
function denialsOf(random: Randomness): readonly Grant[] {
  return [0, 1].map((n) => ({
    ...{ id: `d${n}`, who: random.of(["bob", "*"]), action: "topic.read", effect: "deny", createdAt: 0 },
    ...{ resource: `topic:${random.of(topicsOf)}`, by: "operator" },
  }));
}

async function refusalOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (isRefusal(error)) return error.code;
    throw error;
  }
}
