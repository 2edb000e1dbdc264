import type { CommandDefinition } from "js-redis-server/core";
import { defineCommand, RedisResult, RedisValue, t } from "js-redis-server/core";

type Execute = CommandDefinition<never>["execute"];

/** What the journal amounts to, in the words of the settings a client looks at to learn it. */
const settings: Readonly<Record<string, string>> = {
  appendonly: "yes",
  appendfsync: "always",
  save: "",
  databases: "1",
};

/** CONFIG that tells the truth about this engine. */
export function configCommand(shipped: CommandDefinition): CommandDefinition {
  const execute: Execute = async (args: { subcommand: string; args: Buffer[] }, ctx) => {
    const result = (await shipped.execute(args, ctx)) as RedisResult;
    if (args.subcommand.toLowerCase() !== "get" || result.value.kind !== "map") return result;
    const answer = new Map(result.value.entries.map(([name, value]) => [textOf(name), value]));
    for (const [name, value] of Object.entries(settings)) {
      if (answer.has(name) || args.args.some((asked) => asked.toString().toLowerCase() === name)) {
        answer.set(name, RedisValue.bulkString(Buffer.from(value)));
      }
    }
    return RedisResult.create(
      RedisValue.map([...answer].map(([name, value]) => [RedisValue.bulkString(Buffer.from(name)), value])),
    );
  };
  return { ...shipped, execute } as CommandDefinition;
}

/** WAIT: there are no replicas to wait for, and every reply already waits for the disk. */
export const waitCommand = defineCommand({
  name: "wait",
  schema: t.object({ replicas: t.integer({ min: 0 }), timeoutMs: t.integer({ min: 0 }) }),
  flags: ["noscript"],
  keys: () => [],
  execute: () => RedisResult.create(RedisValue.integer(0)),
});

function textOf(value: RedisValue): string {
  return value.kind === "bulk-string" ? (value.value?.toString() ?? "") : "";
}
