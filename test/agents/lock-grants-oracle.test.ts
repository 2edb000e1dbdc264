import { expect, it } from "vitest";
import { parseResource } from "../../src/addresses/index.js";
import { type Asking, decideAccess, type Grant, GrantBook } from "../../src/agents/index.js";
import type { Action, Role } from "../../src/identity/index.js";
import { Randomness } from "./random-rules.js";

const seed = Number(process.env.ORACLE_SEED ?? 20_261_126);
const now = 1_000;

/** Every path of up to four segments: with them, two patterns of up to three differ or meet wherever they can. */
const paths: readonly string[] = (() => {
  const all: string[] = [];
  let last = [""];
  for (let depth = 0; depth < 4; depth++) {
    last = last.flatMap((path) => ["a", "b", "ab", "azb", "z"].map((name) => `${path}${name}/`));
    all.push(...last);
  }
  return all;
})();

/** Of each path whether a resource means it; slow, plain, and sharing no code with what it is compared with. */
const meantBy = (() => {
  const known = new Map<string, Uint8Array>();
  return (resource: string): Uint8Array => {
    const before = known.get(resource);
    if (before) return before;
    const form = new RegExp(`^${resource.split("/").map(asExpression).join("")}$`);
    const meant = Uint8Array.from(paths, (path) => (form.test(path) ? 1 : 0));
    known.set(resource, meant);
    return meant;
  };
})();

function asExpression(segment: string): string {
  if (segment === "**") return "(?:[^/]+/)*";
  if (segment === "*") return "[^/]+/";
  return `${segment.replace("*", "[^/]*")}/`;
}

it(`agrees with an enumeration of paths on 10,000 random grants on locks and asked resources (ORACLE_SEED=${seed})`, () => {
  const random = new Randomness(seed);
  const resource = (): string =>
    parseResource(
      Array.from({ length: 1 + random.below(3) }, () =>
        random.of(["a", "b", "ab", "z", "*", "a*", "*b", "a*b", "**"]),
      ).join("/"),
    );
  const grantOf = (n: number): Grant => ({
    id: `g${n}`,
    who: random.of(["bob", "carol", "*", "role:agent", "role:observer"]),
    action: random.of(["lock.acquire", "lock.acquire", "lock.read", "lock.*", "*", "topic.*"]),
    resource: random.below(15) === 0 ? "*" : `lock:${resource()}`,
    effect: random.below(3) === 0 ? "deny" : "allow",
    ...(random.below(5) === 0 ? { expiresAt: now + random.of([-1, 0, 1]) } : {}),
    createdAt: 0,
    by: "operator",
  });
  const seen = { denied: 0, allowed: 0, byAllow: 0, byRole: 0, unsure: 0 };
  for (let n = 0; n < 10_000; n++) {
    const grants = Array.from({ length: random.below(16) }, (_, at) => grantOf(at));
    const roles: readonly Role[] = random.some(["agent", "observer", "approver"] as const);
    const asking: Asking = { agent: random.of(["bob", "carol"]), roles, isOperator: false };
    const action: Action = random.of(["lock.acquire", "lock.acquire", "lock.read"]);
    const asked = random.below(2) === 0 ? random.of(paths).slice(0, -1) : resource();
    const speaking = grants.filter(
      (grant) =>
        ["*", asking.agent, ...roles.map((role) => `role:${role}`)].includes(grant.who) &&
        ["*", "lock.*", action].includes(grant.action) &&
        (grant.expiresAt === undefined || grant.expiresAt > now),
    );
    const meant = meantBy(asked);
    const shares = (said: string): boolean => {
      const means = said === "*" ? meant : meantBy(said.slice("lock:".length));
      return meant.some((one, at) => one && means[at]);
    };
    const takesIn = (said: string): boolean => {
      const means = said === "*" ? meant : meantBy(said.slice("lock:".length));
      return meant.every((one, at) => !one || means[at]);
    };
    const denies = speaking.filter(({ effect, resource: said }) => effect === "deny" && shares(said));
    const allows = speaking.filter(({ effect, resource: said }) => effect === "allow" && takesIn(said));
    const byRole = action === "lock.read" || roles.includes("agent");
    const expected = denies.length === 0 && (allows.length > 0 || byRole);
    const { allowed, because } = decideAccess(asking, action, `lock:${asked}`, new GrantBook(grants), now);
    const told = `case ${n}: ${action} lock:${asked} by ${asking.agent} (${roles}) of ${JSON.stringify(grants)}`;
    // Where any depth stands beside any name, what an allow takes in can be more than its segments, one by one, say.
    const isPlain = ({ resource: said }: Grant): boolean =>
      !/(^lock:|\/)(\*\/\*\*|\*\*\/\*)(\/|$)/.test(said);
    if (expected && !byRole && !allows.some(isPlain)) {
      if (!allowed) seen.unsure++;
    } else expect(allowed, told).toBe(expected);
    if (because.startsWith("grant ")) {
      const named = grants.find(({ id }) => `grant ${id}` === because)!;
      expect(allowed ? allows : denies, told).toContain(named);
      seen[allowed ? "byAllow" : "denied"]++;
    } else if (allowed) seen.byRole++;
    if (allowed) seen.allowed++;
  }
  expect(Math.min(seen.denied, seen.byAllow)).toBeGreaterThan(1_500);
  expect(Math.min(seen.allowed, seen.byRole)).toBeGreaterThan(3_000);
  expect(seen.unsure).toBeLessThan(100);
});
