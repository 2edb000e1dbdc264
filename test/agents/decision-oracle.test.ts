import { expect, it } from "vitest";
import { decideAccess, type Grant, GrantBook } from "../../src/agents/index.js";
import type { Action, Role } from "../../src/identity/index.js";
import { Randomness, randomRules, topicsOf } from "./random-rules.js";
import { isDenied, mayByGrants } from "./rules-oracle.js";

const seed = Number(process.env.ORACLE_SEED ?? 20_261_125);

it(`agrees with a brute-force oracle on 10,000 random grants, subscriptions and publishes (ORACLE_SEED=${seed})`, () => {
  const random = new Randomness(seed);
  const seen = { allowed: 0, denied: 0, byGrant: 0 };
  for (let n = 0; n < 10_000; n++) {
    const now = 1_000;
    const grants = randomRules(random, now);
    const book = new GrantBook(grants);
    const agent = random.of(["bob", "carol", "dora"]);
    const roles: readonly Role[] = random.some(["agent", "observer", "approver"] as const);
    const asking = { agent, roles, isOperator: false };
    const told = (what: string): string =>
      `triple ${n}: ${what} by ${agent} (${roles}) of ${JSON.stringify(grants)}`;
    const check = (action: Action, resource: string): boolean => {
      const { allowed, because } = decideAccess(asking, action, resource, book, now);
      expect(allowed, told(`${action} ${resource}`)).toBe(
        mayByGrants(grants, agent, roles, action, resource, now),
      );
      seen[allowed ? "allowed" : "denied"]++;
      if (because.startsWith("grant ")) {
        seen.byGrant++;
        const named = grants.find(({ id }) => `grant ${id}` === because) as Grant;
        expect(named.effect).toBe(allowed ? "allow" : "deny");
      }
      return allowed;
    };
    const published = random.of(topicsOf);
    check("topic.publish", `topic:${published}`);
    check("topic.read", `topic:${published}`);
    const pattern = random.pattern();
    // What is refused as a whole may be read nowhere: nobody loses a message by a pattern that is too wide.
    if (!check("topic.read", `topic:${pattern.join(".")}`))
      for (const topic of topicsOf.filter((one) => random.meant(pattern, one)))
        expect(
          isDenied(grants, agent, roles, "topic.read", `topic:${topic}`, now) ||
            !mayByGrants(grants, agent, roles, "topic.read", `topic:${topic}`, now),
          told(`${pattern.join(".")} means ${topic}`),
        ).toBe(true);
    const mailbox = random.of(["bob", "carol", "queue:q", "queue:r", "everyone"]);
    check("mailbox.send", mailbox);
    check("mailbox.read", mailbox);
    check("admin.dead-letters", mailbox);
  }
  expect(Math.min(seen.allowed, seen.denied, seen.byGrant)).toBeGreaterThan(5_000);
});
