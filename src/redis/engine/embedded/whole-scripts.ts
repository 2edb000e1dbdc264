import { type RedisLuaRuntime, setLuaWasmLoadOptions } from "js-redis-server/core";
import type { EffectBuffer } from "./effects.js";

/**
 * Instructions of Lua after which the runtime ends a script: the most it can be told. As shipped it is 10 million, which
 * scripts of ours need with patterns that mean much; they bound what they compare themselves, see locks/lua/queue.lua, by a
 * small part of this.
 */
export const mostFuel = 4_294_967_295;

/** Before the runtime is made: it is told when it is loaded. */
export function allowFuel(fuel: number): void {
  setLuaWasmLoadOptions({ limits: { maxFuel: fuel } });
}

/**
 * Watches that no script is ended in the middle of what it does. A store that runs scripts whole would not end one that has
 * written, so this one must not have done so: what it wrote is nobody's to see, and only a start from what is durable is
 * without it.
 *
 * @param onHalf nothing may be written or answered any more
 */
export function keepWhole(
  runtime: RedisLuaRuntime,
  effects: EffectBuffer,
  onHalf: (error: Error) => void,
): void {
  const shipped = runtime.eval.bind(runtime);
  runtime.eval = (...call) => {
    const before = effects.length;
    const reply = shipped(...call);
    if (effects.length !== before && isEnded(reply))
      onHalf(new Error(`a script was ended that had written: ${reply.err.toString()}`));
    return reply;
  };
}

function isEnded(reply: ReturnType<RedisLuaRuntime["eval"]>): reply is { readonly err: Buffer } {
  return (
    typeof reply === "object" &&
    reply !== null &&
    "err" in reply &&
    reply.err.includes("Script killed by fuel limit")
  );
}
