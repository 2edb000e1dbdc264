import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startStore, type TestStore } from "../../stores/index.js";

const small = 100;
const large = 30_000;

/** What the scripts of the product do on collections that grow with a backlog. */
const operations: Record<string, string> = {
  "a field set": "redis.call('HSET', 'hash{N}', 'f' .. i, i)",
  "a field read": "redis.call('HGET', 'hash{N}', 'f' .. i)",
  "fields counted": "redis.call('HLEN', 'hash{N}')",
  "a field taken away": "redis.call('HDEL', 'hash{N}', 'new') redis.call('HSET', 'hash{N}', 'new', 1)",
  "a member added and removed in the middle":
    "redis.call('ZADD', 'sorted{N}', {N} / 2, 'new' .. i) redis.call('ZREM', 'sorted{N}', 'new' .. i)",
  "the first ten by score": "redis.call('ZRANGEBYSCORE', 'sorted{N}', '-inf', '+inf', 'LIMIT', 0, 10)",
  "ten from the middle by score": "redis.call('ZRANGEBYSCORE', 'sorted{N}', {N} / 2, '+inf', 'LIMIT', 0, 10)",
  "the last ten": "redis.call('ZREVRANGE', 'sorted{N}', 0, 9)",
  "the first ten": "redis.call('ZRANGE', 'sorted{N}', 0, 9)",
  "a rank": "redis.call('ZRANK', 'sorted{N}', 'm' .. i)",
  "members counted by score": "redis.call('ZCOUNT', 'sorted{N}', {N} / 2, '+inf')",
  "ten names": "redis.call('ZRANGEBYLEX', 'names{N}', '[m', '+', 'LIMIT', 0, 10)",
  "a member of a set": "redis.call('SADD', 'set{N}', 'new' .. i) redis.call('SREM', 'set{N}', 'new' .. i)",
  "an entry appended": "redis.call('XADD', 'stream{N}', '*', 'a', 'b')",
};

describe("the embedded engine", () => {
  let store: TestStore;
  let client: Redis;

  beforeAll(async () => {
    store = await startStore("embedded");
    client = new Redis({ path: store.url.slice("unix://".length) });
    for (const size of [small, large]) {
      for (let from = 0; from < size; from += 1000) {
        const count = Math.min(1000, size - from);
        await client.eval(
          `for i = ${from + 1}, ${from + count} do
             redis.call('HSET', 'hash${size}', 'f' .. i, 'value')
             redis.call('ZADD', 'sorted${size}', i, 'm' .. i)
             redis.call('ZADD', 'names${size}', 0, 'm' .. i)
             redis.call('SADD', 'set${size}', 'm' .. i)
             redis.call('XADD', 'stream${size}', '*', 'a', 'b')
           end`,
          0,
        );
      }
    }
  });
  afterAll(async () => {
    client.disconnect();
    await store.stop();
  });

  /** The shortest of several runs, in nanoseconds: what else the machine does only adds to it. */
  async function shortest(command: string, size: number): Promise<number> {
    const script = `for i = 1, 40 do ${command.replaceAll("{N}", String(size))} end return 1`;
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 8; run++) {
      const begin = process.hrtime.bigint();
      await client.eval(script, 0);
      best = Math.min(best, Number(process.hrtime.bigint() - begin));
    }
    return best;
  }

  // Work in proportion to what is stored would be 300 times as much.
  it.each(Object.keys(operations))(`costs about the same on ${large} as on ${small}: %s`, async (name) => {
    const few = await shortest(operations[name]!, small);
    const many = await shortest(operations[name]!, large);
    expect(many / few).toBeLessThan(15);
  });
});
