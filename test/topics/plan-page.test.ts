import { describe, expect, it } from "vitest";
import { parsePattern } from "../../src/addresses/index.js";
import type { Standing, Subscription } from "../../src/topics/delivery-state.js";
import {
  type Ask,
  advanceOf,
  type Candidate,
  isDue,
  movesOf,
  offerOf,
  type TopicView,
  unhandledRanges,
} from "../../src/topics/plan-page.js";

const subscription = (pattern: string, more: Partial<Subscription> = {}): Subscription => ({
  pattern: parsePattern(pattern),
  live: true,
  start: 0,
  floor: more.start ?? 0,
  since: 0,
  sender: "",
  minPriority: 0,
  until: 0,
  ...more,
});

const standing = (subscriptions: Subscription[], more: Partial<Standing> = {}): Standing => ({
  revision: "1",
  sequence: 100,
  nowMs: 1_000,
  subscriptions,
  positions: new Map(),
  open: new Map(),
  openFacts: new Map(),
  withheld: 0,
  ...more,
});

const message = (
  sequence: number,
  more: Partial<Candidate["facts"]> & { taken?: boolean } = {},
): Candidate => {
  const { taken = false, ...facts } = more;
  return {
    id: `m${sequence}`,
    taken,
    facts: {
      sequence,
      topic: "a.x",
      sender: "bob",
      priority: 1,
      bytes: 10,
      thread: "t",
      publishedAt: 0,
      expiresAt: 0,
      ...facts,
    },
  };
};

const view = (candidates: Candidate[], more: Partial<TopicView> = {}): TopicView => ({
  topic: "a.x",
  position: 0,
  waiting: candidates.filter((one) => !one.taken).length,
  trimmedTo: 0,
  missed: 0,
  candidates,
  fromPosition: true,
  toEnd: true,
  ...more,
});

const open: Ask = { minPriority: 0, limit: 10 };
const told = { tellGaps: true };

describe("a message is due", () => {
  it("when a live subscription means it and stands below it", () => {
    const one = standing([subscription("a.*", { start: 5 })]);
    expect([5, 6].map((n) => isDue(one, message(n)))).toEqual([false, true]);
    expect(isDue(one, message(6, { topic: "a.x.y" }))).toBe(false);
    expect(isDue(standing([subscription("a.*", { live: false })]), message(6))).toBe(false);
  });

  it("not when another subscription has handled it, be it live or ended", () => {
    for (const live of [true, false]) {
      const both = standing([
        subscription("a.*"),
        subscription("a.x", { start: 5, floor: 10, live, until: 10 }),
      ]);
      expect([5, 6, 10, 11].map((n) => isDue(both, message(n)))).toEqual([true, false, false, true]);
    }
  });

  it("when the other subscription that passed it did not want it", () => {
    const both = standing([subscription("a.*"), subscription("a.x", { floor: 10, sender: "carol" })]);
    expect(isDue(both, message(6))).toBe(true);
    expect(isDue(both, message(6, { sender: "carol" }))).toBe(false);
  });

  it("not when it was delivered out of order", () => {
    expect(isDue(standing([subscription("a.x")]), message(6, { taken: true }))).toBe(false);
  });
});

describe("a position", () => {
  const one = standing([subscription("a.x")]);

  it("never moves over a message that somebody still has to get", () => {
    const seen = view([message(10), message(20), message(30)]);
    expect(advanceOf(one, seen, new Set(["m10", "m30"]), told)).toMatchObject({ to: 10, caughtUp: false });
    expect(advanceOf(one, seen, new Set(["m20"]), told)).toMatchObject({ to: 0 });
  });

  it("moves to the end when nothing is left before it", () => {
    const seen = view([message(10), message(20, { taken: true }), message(30)]);
    expect(advanceOf(one, seen, new Set(["m10", "m30"]), told)).toMatchObject({ to: 100, caughtUp: true });
    const cut = view([message(10)], { toEnd: false });
    expect(advanceOf(one, cut, new Set(["m10"]), told)).toMatchObject({ to: 10, caughtUp: false });
  });

  it("stays before a gap that is not told", () => {
    const seen = view([message(10)], { missed: 3, trimmedTo: 9 });
    expect(advanceOf(one, seen, new Set(["m10"]), { tellGaps: false }).to).toBe(0);
    expect(advanceOf(one, seen, new Set(), told).to).toBe(9);
  });

  it("passes over the older messages of a busy topic only as far as the first that is offered", () => {
    const seen = view([message(10), message(20), message(30), message(40)], { fromPosition: false });
    const passing = { passOver: "m20", tellGaps: false };
    expect(advanceOf(one, seen, new Set(["m20"]), passing).to).toBe(20);
    expect(advanceOf(one, seen, new Set(["m40"]), passing).to).toBe(10);
    expect(advanceOf(one, seen, new Set(["m40"]), { ...passing, passOver: "m40" })).toMatchObject({
      to: 100,
      caughtUp: true,
    });
    expect(advanceOf(one, seen, new Set(["m20"]), { tellGaps: false }).to).toBe(0);
  });

  it("passes over what expired before the newest of a busy topic, and stays before what expired behind them", () => {
    const over = { expiresAt: 500 };
    const seen = view([message(10, over), message(20), message(30, over)], { fromPosition: false });
    expect(advanceOf(one, seen, new Set(["m20"]), { passOver: "m20", tellGaps: false }).to).toBe(20);
  });

  it("moves over what a busy topic begins with that was trimmed or expired, once that is told", () => {
    const seen = view([message(50)], { fromPosition: false, missed: 4, trimmedTo: 20 });
    expect(advanceOf(one, seen, new Set(), told)).toMatchObject({ to: 20, expired: 0 });
    const lead = { ...seen, lead: { expired: 3, to: 40 } };
    expect(advanceOf(one, lead, new Set(), told)).toMatchObject({ to: 40, expired: 3, caughtUp: false });
    expect(advanceOf(one, lead, new Set(), { tellGaps: false })).toMatchObject({ to: 0, expired: 0 });
  });
});

describe("moves", () => {
  it("raise the floors and drop what lies below when every topic was caught up", () => {
    const one = standing([subscription("a.x"), subscription("a.y", { live: false, until: 50 })], {
      positions: new Map([
        ["a.x a.x", 40],
        ["a.y a.y", 30],
      ]),
    });
    const advance = { topic: "a.x", to: 100, caughtUp: true, expired: 0, filtered: 0 };
    expect(movesOf(one, [advance], true)).toEqual({
      sets: [["s:a.x", "live|0|100|0||0|0"]],
      drops: ["s:a.y", "p:a.x a.x", "p:a.y a.y"],
      purgeTo: 100,
    });
    expect(movesOf(one, [advance], false)).toEqual({ sets: [["p:a.x a.x", "100"]], drops: [] });
    expect(movesOf(one, [{ ...advance, caughtUp: false, to: 39 }], true)).toEqual({ sets: [], drops: [] });
  });
});

describe("an offer", () => {
  it("is everything up to the limit, and beyond it the newest three with a count of the rest", () => {
    const one = standing([subscription("a.x")]);
    const few = view([message(1), message(2)]);
    expect(offerOf(one, few, { ...open, limit: 2 })).toMatchObject({ unread: 2, passedOver: 0 });
    const many = view([1, 2, 3, 4, 5].map((n) => message(n)));
    const offer = offerOf(one, many, { ...open, limit: 4 });
    expect(offer.offered.map((candidate) => candidate.id)).toEqual(["m3", "m4", "m5"]);
    expect(offer).toMatchObject({ unread: 5, passedOver: 2 });
    expect(offerOf(one, many, { ...open, limit: 4, topic: "a.x" })).toMatchObject({ passedOver: 0 });
    expect(offerOf(one, many, { ...open, limit: 4, sender: "carol" })).toMatchObject({
      offered: [],
      unread: 5,
    });
  });
});

describe("the ranges of a gap", () => {
  it("leave out what another subscription had handled", () => {
    expect(unhandledRanges(standing([subscription("a.x", { start: 7 })]), "a.x")).toBe("7:+inf");
    const two = standing([subscription("a.*"), subscription("a.x", { start: 10, floor: 20 })]);
    expect(unhandledRanges(two, "a.x")).toBe("0:10,20:+inf");
    expect(unhandledRanges(standing([]), "a.x")).toBe("");
  });
});
