import type { Grant } from "../../src/agents/index.js";

/** All topics of the small world in which random rules are tried. */
export const topicsOf: readonly string[] = ["a", "b"].flatMap((root) => [
  root,
  ...["x", "y"].flatMap((second) => [
    `${root}.${second}`,
    ...["x", "z"].map((third) => `${root}.${second}.${third}`),
  ]),
]);

/** Numbers that are the same for the same seed. */
export class Randomness {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** One of them or two. */
  some<T>(list: readonly T[]): readonly T[] {
    return [...new Set([this.of(list), this.of(list)])];
  }

  /** A pattern of one to three levels. Two ** after each other say the same as one. */
  pattern(): readonly string[] {
    const levels = Array.from({ length: 1 + this.below(3) }, (_, n) =>
      this.of(n === 0 ? ["a", "b", "*", "**"] : ["x", "y", "z", "*", "**"]),
    );
    return levels.filter((level, n) => level !== "**" || levels[n - 1] !== "**");
  }

  /** Whether the whole topic is what a pattern means. */
  meant(pattern: readonly string[], topic: string): boolean {
    const fits = (left: readonly string[], levels: readonly string[]): boolean => {
      const [first, ...rest] = left;
      if (first === undefined) return levels.length === 0;
      if (first === "**") return fits(rest, levels) || (levels.length > 0 && fits(left, levels.slice(1)));
      return levels.length > 0 && (first === "*" || first === levels[0]) && fits(rest, levels.slice(1));
    };
    return fits(pattern, topic.split("."));
  }
}

/** Up to six grants, about topics mostly, a few of them over. */
export function randomRules(random: Randomness, nowMs: number): readonly Grant[] {
  return Array.from({ length: random.below(7) }, (_, n): Grant => {
    const aboutTopics = random.below(4) > 0;
    return {
      id: `g${n}`,
      who: random.of(["bob", "carol", "*", "role:agent", "role:observer", "role:approver"]),
      action: random.of(
        aboutTopics
          ? ["topic.read", "topic.publish", "topic.*", "*"]
          : ["mailbox.send", "mailbox.read", "mailbox.*", "admin.dead-letters", "*"],
      ),
      resource: aboutTopics
        ? random.of([`topic:${random.pattern().join(".")}`, `topic:${random.of(topicsOf)}`])
        : random.of(["bob", "carol", "queue:q", "queue:*", "agent:*", "everyone", "*"]),
      effect: random.below(5) < 2 ? "deny" : "allow",
      ...(random.below(4) === 0 ? { expiresAt: nowMs + random.of([-1, 0, 1, 3_600_000]) } : {}),
      createdAt: 0,
      by: "operator",
    };
  });
}
