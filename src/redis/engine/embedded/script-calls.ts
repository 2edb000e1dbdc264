import {
  type CommandDefinition,
  type CommandExecutor,
  parseCommandArgs,
  RedisCommandError,
  type RedisExecutionContext,
  type RedisLuaRuntime,
  type RedisValue,
} from "js-redis-server/core";
import { ContextOf } from "./context-of.js";

type LuaReply = ReturnType<RedisLuaRuntime["eval"]>;

/** What the shipped runtime keeps to itself. */
interface Inside {
  readonly hostState: { readonly ctx: RedisExecutionContext | null; readonly readOnly: boolean };
  runRedisCommand(words: readonly Buffer[]): LuaReply;
}

/**
 * Has the commands that scripts call executed with less ado.
 *
 * As shipped, each of them gets a context of its own and copies of its words for those who watch the server by MONITOR:
 * together more than most commands take to execute. Here a script has one context, and words are copied when somebody
 * watches. What is refused, or called while somebody watches, goes the shipped way. That is an internal of the pinned
 * version: where it does not look as expected, all goes the shipped way, and a test notices.
 *
 * @returns whether it could be done
 */
export function hastenScriptCalls(runtime: RedisLuaRuntime, executor: CommandExecutor): boolean {
  const inside = runtime as unknown as Inside;
  const { hostState, runRedisCommand: shipped } = inside;
  if (typeof shipped !== "function" || !hostState || !("ctx" in hostState) || !("readOnly" in hostState))
    return false;
  const definitions = new Map<string, CommandDefinition | undefined>();
  const definitionOf = (word: Buffer): CommandDefinition | undefined => {
    const name = word.toString("latin1");
    if (!definitions.has(name) && definitions.size < mostNames)
      definitions.set(name, executor.getCommandDefinition(name));
    return definitions.get(name);
  };
  let around: ContextOf | undefined;
  inside.runRedisCommand = (words) => {
    const { ctx, readOnly } = hostState;
    const definition = ctx && words.length > 0 ? definitionOf(words[0]!) : undefined;
    if (!ctx || !definition || ctx.server.monitorFeed.subscriberCount > 0) return shipped.call(inside, words);
    const { flags, name, schema } = definition;
    if (flags.includes("noscript") || (readOnly && flags.includes("write")))
      return shipped.call(inside, words);
    const rawArgs = words.slice(1);
    let args: unknown;
    try {
      args = parseCommandArgs(schema, rawArgs, name, executor.profile);
    } catch (error) {
      if (error instanceof RedisCommandError) return shipped.call(inside, words);
      throw error;
    }
    if (around?.of !== ctx)
      around = new ContextOf(ctx, { monitor: { ...ctx.monitor, defer: true, clientAddress: "lua" } });
    const plan = { definition, args, keys: definition.keys(args), flags, rawCommand: words[0]!, rawArgs };
    return luaReply(executor.executePlanSync(plan, around).value);
  };
  return true;
}

/** More than there are commands, however they are spelt. */
const mostNames = 1_000;

/** A reply as Lua gets it, by the rules of RESP2. */
function luaReply(value: RedisValue): LuaReply {
  switch (value.kind) {
    case "simple-string":
      return { ok: Buffer.from(value.value) };
    case "bulk-string":
    case "integer":
    case "verbatim":
      return value.value;
    case "double":
      return Buffer.from(numberText(value.value));
    case "boolean":
      return value.value ? 1 : 0;
    case "big-number":
      return Buffer.from(value.value.toString());
    case "array":
    case "set":
      return value.items.map(luaReply);
    case "map":
    case "flat-pairs":
      return value.entries.flatMap(([key, entry]) => [luaReply(key), luaReply(entry)]);
    case "map-pairs":
      return value.entries.map(([key, entry]) => [luaReply(key), luaReply(entry)]);
    case "push":
      return [Buffer.from(value.name), ...value.items.map(luaReply)];
    case "null":
    case "null-array":
      return null;
    case "error":
      return {
        err: Buffer.from(value.message),
        ...(value.code === undefined || value.code === "" ? {} : { code: Buffer.from(value.code) }),
      };
  }
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : String(value);
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}
