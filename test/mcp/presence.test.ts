import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { newExchange, type SettledExchange } from "../../src/mcp/exchange.js";
import { Presence } from "../../src/mcp/presence.js";

const soonMs = 20;
const laterMs = 80;

function client(onAbsence: (isAbsent: boolean) => Promise<void> = async () => undefined) {
  const told: string[] = [];
  const presence = new Presence({
    onAbsence: async (isAbsent) => {
      told.push(isAbsent ? "absent" : "there");
      await onAbsence(isAbsent);
    },
    onGone: () => told.push("gone"),
    absentAfterMs: soonMs,
    goneAfterMs: laterMs,
  });
  const open = (saysLifeline = false): SettledExchange => {
    const exchange = newExchange(new AbortController().signal);
    presence.seenUntil(exchange, saysLifeline);
    return exchange;
  };
  const lifeline = (isOpen = true): SettledExchange => {
    const exchange = open(true);
    presence.lifeline(isOpen);
    return exchange;
  };
  return { told, presence, open, lifeline };
}

const longEnough = (): Promise<void> => delay(2 * laterMs);

describe("a client over HTTP", () => {
  it("is absent when its request is cut and none follows, and there with the next", async () => {
    const { told, open } = client();
    open().settle(false);
    await vi.waitFor(() => expect(told).toEqual(["absent"]));
    open().settle(true);
    await longEnough();
    expect(told).toEqual(["absent", "there"]);
  });

  it("may think for as long as it likes after it was answered", async () => {
    const { told, open } = client();
    open().settle(true);
    await longEnough();
    expect(told).toEqual([]);
  });

  it("is there while another request of it is open, and while it connects anew", async () => {
    const { told, open } = client();
    const stream = open();
    open().settle(false);
    await longEnough();
    stream.settle(false);
    const next = open();
    await longEnough();
    expect(told).toEqual([]);
    next.settle(true);
  });

  it("is dead when it keeps a lifeline and stays without it, whatever its last request was told", async () => {
    const { told, open, lifeline } = client();
    const [stream, call] = [lifeline(), open(true)];
    stream.settle(false);
    call.settle(true);
    await vi.waitFor(() => expect(told).toEqual(["absent", "gone"]));
  });

  it("is not dead when it has its lifeline again in time", async () => {
    const { told, lifeline } = client();
    lifeline().settle(false);
    await vi.waitFor(() => expect(told).toEqual(["absent"]));
    lifeline();
    await longEnough();
    expect(told).toEqual(["absent", "there"]);
  });

  it("may think as long as it likes while another one's lifeline ends", async () => {
    const { told, open, lifeline } = client();
    const [stream, call] = [lifeline(), open(true)];
    open().settle(true);
    call.settle(false);
    stream.settle(false);
    await longEnough();
    expect(told).toEqual([]);
  });

  it("may think as long as it likes where it says that it keeps a lifeline, and has none or was refused one", async () => {
    const { told, open, lifeline } = client();
    open(true).settle(true);
    await longEnough();
    const another = lifeline();
    lifeline(false).settle(true);
    another.settle(true);
    await longEnough();
    expect(told).toEqual([]);
  });

  it("is not dead while it is seen at another process, or where that cannot be looked up", async () => {
    let ago: () => Promise<number> = () => Promise.reject(new Error("the store is away"));
    const gone: number[] = [];
    const presence = new Presence({
      onAbsence: async () => undefined,
      onGone: () => gone.push(performance.now()),
      seenAgoMs: () => ago(),
      goneAfterMs: 10_000 + laterMs,
    });
    vi.useFakeTimers();
    try {
      const stream = newExchange(new AbortController().signal);
      presence.seenUntil(stream, true);
      presence.lifeline(true);
      stream.settle(false);
      await vi.advanceTimersByTimeAsync(30_000);
      ago = async () => laterMs / 2;
      await vi.advanceTimersByTimeAsync(30_000);
      expect(gone).toEqual([]);
      ago = async () => laterMs;
      await vi.advanceTimersByTimeAsync(30_000);
      expect(gone).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is told again where it could not be noted", async () => {
    let fails = 2;
    const { told, open } = client(async () => {
      if (fails-- > 0) throw new Error("the store is away");
    });
    open().settle(false);
    await longEnough();
    expect(told).toEqual(["absent", "absent", "absent"]);
  });

  it("is told again where it could not be noted that it is there, also while it asks for nothing", async () => {
    let fails = 0;
    const { told, open } = client(async () => {
      if (fails-- > 0) throw new Error("the store is away");
    });
    open().settle(false);
    await vi.waitFor(() => expect(told).toEqual(["absent"]));
    fails = 2;
    open();
    await longEnough();
    expect(told).toEqual(["absent", "there", "there", "there"]);
  });

  it("is not told of what it was before, where that could not be noted", async () => {
    const { told, open } = client(async (isAbsent) => {
      if (isAbsent) throw new Error("the store is away");
    });
    open().settle(false);
    await vi.waitFor(() => expect(told).toContain("absent"));
    open();
    await longEnough();
    expect(told.slice(told.indexOf("there"))).toEqual(["there"]);
  });

  it("is judged no more once its connection has ended", async () => {
    const { told, presence, open, lifeline } = client();
    lifeline().settle(false);
    presence.end();
    open().settle(false);
    await longEnough();
    expect(told).toEqual([]);
  });
});
