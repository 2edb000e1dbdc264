import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { LockNews } from "../../src/locks/index.js";
import { closingNews, closingOfRefusal } from "../../src/mcp/closing-news.js";
import { Connection } from "../../src/mcp/connection.js";
import { newExchange } from "../../src/mcp/exchange.js";
import { renderReply, replyChars } from "../../src/mcp/reply.js";
import type { Duty } from "../../src/policy/index.js";
import { memoryRooms } from "./memory-rooms.js";
import { noLog } from "./support.js";

describe("what closes a reply", () => {
  const close = async (
    news: readonly LockNews[],
    { obligations = [], lateMs = 0 }: { obligations?: readonly string[]; lateMs?: number } = {},
  ) => {
    const world = memoryRooms();
    const kept: LockNews[] = [];
    const owed: string[] = [];
    const rooms = {
      ...world,
      locks: {
        ...world.locks,
        news: async () => {
          await delay(lateMs);
          return news;
        },
        keepNews: (_: unknown, one: typeof news) => void kept.push(...one),
      },
      policy: {
        ...world.policy,
        news: async () => (obligations.length > 0 ? [{ action: "x", obligations }] : []),
        keepNews: (_: unknown, duties: readonly Duty[]) =>
          void owed.push(...duties.flatMap((one) => one.obligations)),
      },
    };
    const face = { namespace: "n", version: "0", log: noLog };
    const connection = new Connection(rooms as typeof world, face, { session: true });
    const exchange = newExchange(new AbortController().signal);
    const caller = await connection.caller("test");
    const ask = lateMs > 0 ? closingOfRefusal : closingNews;
    return { kept, owed, exchange, closing: await ask(connection, caller, { tellsMail: false, exchange }) };
  };
  const lost = (n: number, resource: string): LockNews => ({
    ...{ what: "lost", id: `lk-00000000000${n % 10}`, resources: [resource, `${resource}1`, `${resource}2`] },
  });

  it("is told again where the reply did not reach its client, once, and not where it did", async () => {
    for (const reached of [true, false]) {
      const { kept, exchange, closing } = await close([lost(1, "x")]);
      exchange.settle(reached);
      closing?.unread();
      closing?.unread();
      expect(kept).toHaveLength(1);
      const other = await close([lost(1, "x")]);
      other.exchange.settle(reached);
      expect(other.kept).toHaveLength(reached ? 0 : 1);
    }
  });

  it("does not hold up a refusal, which goes without it where the store does not answer; it is told by the next one", async () => {
    const { kept, exchange, closing } = await close([lost(1, "x")], { lateMs: 3_000 });
    expect(closing).toBeUndefined();
    exchange.settle(true);
    expect(kept).toEqual([]);
    await expect.poll(() => kept, { timeout: 5_000 }).toEqual([lost(1, "x")]);
  });

  it("tells again what rules want done where nobody was told of it, also by a refusal that goes without it", async () => {
    const obligations = ["write it down"];
    for (const reached of [true, false]) {
      const { owed, exchange } = await close([], { obligations });
      exchange.settle(reached);
      expect(owed).toEqual(reached ? [] : obligations);
    }
    const late = await close([], { obligations, lateMs: 3_000 });
    expect(late.closing).toBeUndefined();
    late.exchange.settle(true);
    await expect.poll(() => late.owed, { timeout: 5_000 }).toEqual(obligations);
  });

  it("names all that it is given in whole lines, and leaves room for the rest, whatever the names are", async () => {
    for (const letter of ["x", '"', "\\", "🔒"]) {
      const news = Array.from({ length: 21 }, (_, n) => lost(n, letter.repeat(500)));
      const { closing } = await close(news, { obligations: ["o".repeat(20_000)] });
      const lines = closing!.text.split("\n").filter((line) => line.startsWith("lock: "));
      expect(lines).toHaveLength(21);
      for (const line of lines)
        expect(line).toMatch(/ is lost and others may get it; acquire it again before you change it$/);
      expect(closing!.text.length, letter).toBeLessThan(replyChars - 2_000);
      const blocks = renderReply(["a".repeat(20_000)], closing!.text);
      expect(blocks.at(-1)!.text).toBe(closing!.text);
      expect(blocks.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(replyChars);
    }
  });
});
