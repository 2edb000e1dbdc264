import { createRedisLuaRuntime, resolveCompatibilityProfile } from "js-redis-server/core";
import { describe, expect, it } from "vitest";
import { CompiledScripts } from "../../../src/redis/engine/embedded/compiled-scripts.js";
import { KeptScripts } from "../../../src/redis/engine/embedded/kept-scripts.js";

const profile = resolveCompatibilityProfile("redis-7.0");

describe("scripts of the embedded engine", () => {
  it("are compiled once: the pinned Lua runtime looks as expected inside", async () => {
    const runtime = await createRedisLuaRuntime(profile);
    const scripts = new CompiledScripts(runtime);
    const run = scripts.keep(Buffer.from("return {KEYS[1], ARGV[1]}"));
    expect(String(run)).toBe("return __compiled[1]()");
    for (const n of ["1", "2"]) {
      expect(runtime.eval(run!, [Buffer.from(`key${n}`)], [Buffer.from(n)], {} as never)).toEqual([
        Buffer.from(`key${n}`),
        Buffer.from(n),
      ]);
    }
  });

  it("find the globals as closed to writing as before", async () => {
    const runtime = await createRedisLuaRuntime(profile);
    new CompiledScripts(runtime);
    for (const attempt of ["x = 1", "rawset(_G, 'x', 1)", "string.x = 1", "redis.x = 1"]) {
      expect(runtime.eval(Buffer.from(attempt), [], [], {} as never)).toMatchObject({
        err: expect.anything(),
      });
    }
  });

  it("share no variables between calls", async () => {
    const runtime = await createRedisLuaRuntime(profile);
    const run = new CompiledScripts(runtime).keep(Buffer.from("local n = 0; n = n + 1; return n"))!;
    expect([1, 2].map(() => runtime.eval(run, [], [], {} as never))).toEqual([1, 1]);
  });

  it("name the line of an error as before", async () => {
    const runtime = await createRedisLuaRuntime(profile);
    const run = new CompiledScripts(runtime).keep(Buffer.from("local a = 1\nerror('boom')"))!;
    expect(String((runtime.eval(run, [], [], {} as never) as { err: Buffer }).err)).toContain(
      "user_script:2: boom",
    );
  });

  it("that do not compile are kept as they are, to fail when they are called", async () => {
    const cache = new KeptScripts();
    cache.compileWith(new CompiledScripts(await createRedisLuaRuntime(profile)));
    const sha = cache.load(Buffer.from("this is not lua"));
    expect(String(cache.get(sha))).toBe("this is not lua");
    cache.flush();
    expect(cache.get(sha)).toBeNull();
  });
});
