/** A small deterministic source of choices, so that a failing run can be repeated from its seed. */
export class Choices {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    this.#state >>>= 0;
    return this.#state % limit;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

export type Command = readonly [name: string, ...args: string[]];

/**
 * A command of those our scripts use and their neighbours, on few keys and few names, so that they meet each other.
 *
 * Left out, because the engine as shipped differs: ZUNIONSTORE of plain sets is refused, SDIFFSTORE leaves the
 * destination its expiry, LMOVE of a list's last element onto itself takes it away.
 */
export function randomCommand(choices: Choices): Command {
  const c = choices;
  const [key, hash, sorted, set, list] = ["string", "hash", "sorted", "set", "list"].map(
    (kind) => () => `${kind}${c.below(2)}`,
  ) as [() => string, () => string, () => string, () => string, () => string];
  const any = (): string => c.of([key, hash, sorted, set, list])();
  const member = (): string => c.of(["a", "b", "c", "d", "aa", "é", "", "10", "9", "z z", "\u0000\u00ff"]);
  const value = (): string => c.of(["x", "10", "-3", "1.5", "", " y ", "é", "0", "9007199254740993", "word"]);
  const score = (): string => c.of(["0", "1", "2", "2.5", "-1", "1731234567890123", "inf", "-inf", "3"]);
  const bound = (): string =>
    c.of(["-inf", "+inf", "0", "(0", "1", "(2", "2.5", "(1731234567890123", "1731234567890123"]);
  const name = (): string => c.of(["-", "+", "[a", "(a", "[c", "(d", "[é"]);
  const rank = (): string => String(c.below(9) - 4);
  const limit = (): string[] => (c.below(2) ? ["LIMIT", String(c.below(3)), String(c.below(6) - 1)] : []);
  const scores = (): string[] => (c.below(2) ? ["WITHSCORES"] : []);
  const far = (): string => String(100_000 + c.below(1000));
  const many = (make: () => string): string[] => Array.from({ length: 1 + c.below(3) }, make);
  return c.of<() => Command>([
    () => ["HSET", hash(), ...many(member).flatMap((field) => [field, value()])],
    () => ["HSETNX", hash(), member(), value()],
    () => ["HGET", hash(), member()],
    () => ["HMGET", hash(), ...many(member)],
    () => ["HDEL", hash(), ...many(member)],
    () => ["HLEN", hash()],
    () => ["HEXISTS", hash(), member()],
    () => ["HINCRBY", hash(), member(), c.of(["1", "-7", "9007199254740990"])],
    () => ["HGETALL", hash()],
    () => ["HSCAN", hash(), "0", "COUNT", "1000"],
    () => ["ZADD", sorted(), ...many(member).flatMap((one) => [score(), one])],
    () => ["ZADD", sorted(), c.of(["NX", "XX", "GT", "LT"]), ...c.of([[], ["CH"]]), score(), member()],
    () => ["ZINCRBY", sorted(), c.of(["1", "-2.5"]), member()],
    () => ["ZREM", sorted(), ...many(member)],
    () => ["ZSCORE", sorted(), member()],
    () => ["ZCARD", sorted()],
    () => ["ZRANK", sorted(), member()],
    () => ["ZREVRANK", sorted(), member()],
    () => ["ZCOUNT", sorted(), bound(), bound()],
    () => ["ZLEXCOUNT", "names", name(), name()],
    () => ["ZADD", "names", ...many(member).flatMap((one) => ["0", one])],
    () => ["ZREM", "names", ...many(member)],
    () => ["ZRANGE", sorted(), rank(), rank(), ...scores()],
    () => ["ZRANGE", sorted(), rank(), rank(), "REV", ...scores()],
    () => ["ZRANGE", sorted(), bound(), bound(), "BYSCORE", ...limit(), ...scores()],
    () => ["ZRANGE", sorted(), bound(), bound(), "BYSCORE", "REV", ...limit(), ...scores()],
    () => ["ZRANGE", "names", name(), name(), "BYLEX", ...c.of([[], ["REV"]]), ...limit()],
    () => ["ZREVRANGE", sorted(), rank(), rank(), ...scores()],
    () => ["ZRANGEBYSCORE", sorted(), bound(), bound(), ...scores(), ...limit()],
    () => ["ZREVRANGEBYSCORE", sorted(), bound(), bound(), ...scores(), ...limit()],
    () => ["ZRANGEBYLEX", "names", name(), name(), ...limit()],
    () => ["ZREVRANGEBYLEX", "names", name(), name(), ...limit()],
    () => ["ZREMRANGEBYSCORE", sorted(), bound(), bound()],
    () => ["ZREMRANGEBYRANK", sorted(), rank(), rank()],
    () => ["ZREMRANGEBYLEX", "names", name(), name()],
    () => ["ZPOPMIN", sorted(), String(c.below(3))],
    () => ["ZPOPMAX", sorted()],
    () => ["SADD", set(), ...many(member)],
    () => ["SREM", set(), ...many(member)],
    () => ["SMEMBERS", set()],
    () => ["SISMEMBER", set(), member()],
    () => ["SCARD", set()],
    () => ["SET", key(), value()],
    () => ["SET", key(), value(), c.of(["NX", "XX"]), "PX", far()],
    () => ["SET", key(), value(), "KEEPTTL"],
    () => ["GET", any()],
    () => ["GETDEL", key()],
    () => ["INCR", key()],
    () => ["INCRBY", key(), "5"],
    () => ["APPEND", key(), value()],
    () => ["SETRANGE", key(), "2", "zz"],
    () => ["DEL", any(), any()],
    () => ["EXISTS", any(), any()],
    () => ["TYPE", any()],
    () => ["RENAME", any(), any()],
    () => ["COPY", any(), any(), "REPLACE"],
    () => ["EXPIRE", any(), "1000"],
    () => ["EXPIRE", any(), c.of(["-1", "0"])],
    () => ["PEXPIREAT", any(), String(Date.now() + 1_000_000)],
    () => ["PERSIST", any()],
    () => ["LPUSH", list(), ...many(value)],
    () => ["RPUSH", list(), ...many(value)],
    () => ["LPOP", list(), String(c.below(3))],
    () => ["RPOP", list()],
    () => ["LRANGE", list(), rank(), rank()],
    () => ["LLEN", list()],
    () => ["LREM", list(), String(c.below(5) - 2), value()],
    () => ["LTRIM", list(), rank(), rank()],
    () => ["LSET", list(), rank(), value()],
    () => ["LINSERT", list(), c.of(["BEFORE", "AFTER"]), value(), value()],
  ])();
}
