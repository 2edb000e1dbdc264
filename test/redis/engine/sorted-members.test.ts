import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SortedMembers } from "../../../src/redis/engine/embedded/sorted-members.js";

const entry = (name: string, score: number): { member: Buffer; score: number } => ({
  member: Buffer.from(name),
  score,
});

describe("the members of a sorted set", () => {
  it("are in the order of score, then name, whatever was added, moved and removed", () => {
    const change = fc.record({
      name: fc.string({ maxLength: 2 }),
      score: fc.oneof(
        fc.integer({ min: -3, max: 3 }),
        fc.constantFrom(Infinity, -Infinity, 1731234567890123),
      ),
      remove: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 60 }),
        fc.array(change, { maxLength: 1500 }),
        (before, after) => {
          const members = new SortedMembers();
          const apply = ({ name, score, remove }: { name: string; score: number; remove: boolean }): void => {
            const id = Buffer.from(name).toString("hex");
            if (remove) members.delete(id);
            else members.set(id, entry(name, score));
          };
          before.forEach(apply);
          members.slice(0, 1); // from here on the order is kept up
          after.forEach(apply);
          const expected = [...members.values()].sort(
            (a, b) => a.score - b.score || Buffer.compare(a.member, b.member) || 0,
          );
          const sorted = expected.map(({ member, score }) => `${score} ${member.toString("hex")}`);
          const kept = members
            .slice(0, members.size)
            .map(({ member, score }) => `${score} ${member.toString("hex")}`);
          expect(kept).toEqual(sorted);
          expect(expected.map((one) => members.rankOf(one))).toEqual(expected.map((_, rank) => rank));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("can be many", () => {
    const members = new SortedMembers();
    members.slice(0, 1);
    for (let i = 0; i < 5000; i++) members.set(String(i), entry(`m${i}`, (i * 7919) % 5000));
    expect(members.slice(2500, 2503).map(({ score }) => score)).toEqual([2500, 2501, 2502]);
    expect(members.rank(({ score }) => score < 4000)).toBe(4000);
    for (let i = 0; i < 5000; i++) members.delete(String(i));
    expect(members.slice(0, 10)).toEqual([]);
    expect(members.rank(() => true)).toBe(0);
  });
});
