import {
  ClientSession,
  createNoopParkHandler,
  createRedisCommandExecutor,
  type RedisExecutionContext,
  type RedisLuaRuntime,
  RedisServerState,
} from "js-redis-server/core";
import { describe, expect, it } from "vitest";
import { hastenScriptCalls } from "../../../src/redis/engine/embedded/script-calls.js";

const compatibility = "redis-7.0";

/** A server whose scripts call commands in the shipped way, or in ours. */
class Server {
  readonly state = new RedisServerState({ compatibility, activeExpiryIntervalMs: false });
  readonly executor = createRedisCommandExecutor({ compatibility });
  readonly session = new ClientSession({ server: this.state, executor: this.executor });
  #runtime!: RedisLuaRuntime;

  static async start(isOurs: boolean): Promise<Server> {
    const server = new Server();
    server.#runtime = await server.state.getLuaRuntime();
    if (isOurs) expect(hastenScriptCalls(server.#runtime, server.executor)).toBe(true);
    return server;
  }

  run(script: string, readOnly = false): unknown {
    const ctx: RedisExecutionContext = {
      db: this.state.getDatabase(0),
      server: this.state,
      session: this.session,
      executor: this.executor,
      signal: new AbortController().signal,
      park: createNoopParkHandler(),
    };
    return this.#runtime.eval(Buffer.from(script), [], [], ctx, { readOnly });
  }
}

const scripts = [
  "return redis.call('SET', 'a', '1')",
  "return redis.call('get', 'a')",
  "return redis.call('GET', 'none')",
  "return redis.call('INCRBY', 'a', 41)",
  "return redis.call('HSET', 'h', 'f', 'v', 'g', 'w')",
  "return redis.call('HGETALL', 'h')",
  "return redis.call('HMGET', 'h', 'f', 'none', 'g')",
  "return redis.call('ZADD', 'z', 1.5, 'x', -0, 'y', 'inf', 'i', 3, 'w')",
  "return redis.call('ZSCORE', 'z', 'x')",
  "return redis.call('ZSCORE', 'z', 'i')",
  "return redis.call('ZRANGE', 'z', 0, -1, 'WITHSCORES')",
  "return redis.call('ZRANGEBYSCORE', 'z', '(1', '+inf', 'LIMIT', 0, 1)",
  "return redis.call('ZPOPMIN', 'z')",
  "return redis.call('RPUSH', 'l', 'a', 'b')",
  "return redis.call('LRANGE', 'l', 0, -1)",
  "return redis.call('XADD', 's', '1-1', 'k', 'v')",
  "return redis.call('XRANGE', 's', '-', '+')",
  "return redis.call('SADD', 'm', 'p', 'q')",
  "return redis.call('SMEMBERS', 'm')",
  "return redis.call('SISMEMBER', 'm', 'p')",
  "return redis.call('TYPE', 'z')",
  "return redis.call('TIME')[3]",
  // What is refused, caught and not caught.
  "return redis.call()",
  "return redis.call('NOSUCH', 'a')",
  "return redis.pcall('NOSUCH', 'a')",
  "return redis.call('GET')",
  "return redis.call('SET', 'a', '1', 'NX', 'XX')",
  "return redis.pcall('LPUSH', 'a', 'x')",
  "return redis.call('LPUSH', 'a', 'x')",
  "return redis.pcall('INCR', 'h')",
  "return redis.call('SUBSCRIBE', 'c')",
  "return redis.call('EVAL', 'return 1', 0)",
  "redis.call('SET', 'a', '2') return redis.call('GET', 'a')",
];

describe("commands that scripts of the embedded engine call", () => {
  it("are answered and refused as in the shipped way: the pinned Lua runtime looks as expected inside", async () => {
    const [shipped, ours] = [await Server.start(false), await Server.start(true)];
    for (const script of scripts) expect([script, ours.run(script)]).toEqual([script, shipped.run(script)]);
    for (const script of ["return redis.call('SET', 'a', '3')", "return redis.call('GET', 'a')"])
      expect(ours.run(script, true)).toEqual(shipped.run(script, true));
  });

  it("are told to those who watch the server, with the words that were called", async () => {
    const seen = await Promise.all(
      [false, true].map(async (isOurs) => {
        const server = await Server.start(isOurs);
        server.run("return redis.call('SET', 'before', '1')");
        const told: string[] = [];
        const stop = server.state.monitorFeed.subscribe(({ command, args, clientAddress }) =>
          told.push([clientAddress, command, ...args].join(" ")),
        );
        server.run("return redis.call('SET', 'a', '1')");
        stop();
        server.run("return redis.call('SET', 'after', '1')");
        return told;
      }),
    );
    expect(seen).toEqual([["lua SET a 1"], ["lua SET a 1"]]);
  });
});
