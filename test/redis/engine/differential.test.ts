import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startStore, type TestStore } from "../../stores/index.js";
import { Choices, type Command, randomCommand } from "./commands.js";

/** Replies whose order Redis does not promise are compared as sets. */
const unordered = new Set(["HGETALL", "HSCAN", "SMEMBERS"]);
const keys = ["string", "hash", "sorted", "set", "list"]
  .flatMap((kind) => [`${kind}0`, `${kind}1`])
  .concat("names");

describe("the embedded engine beside a redis-server", () => {
  let embedded: TestStore;
  let real: TestStore;
  beforeAll(async () => {
    [embedded, real] = await Promise.all([startStore("embedded"), startStore("redis-server")]);
  });
  afterAll(() => Promise.all([embedded?.stop(), real?.stop()]));

  it.each([1, 2, 3, 4, 5, 6])(
    "answers as it does, bare and from scripts, and holds the same after a restart (seed %i)",
    async (seed) => {
      const choices = new Choices(seed * 7919);
      let [ours, theirs] = [connect(embedded), connect(real)];
      await Promise.all([ours.flushall(), theirs.flushall()]);
      for (let round = 0; round < 3; round++) {
        const steps = Array.from({ length: 400 }, () => randomStep(choices));
        const [mine, other] = await Promise.all([play(ours, steps), play(theirs, steps)]);
        steps.forEach((step, index) => {
          expect(mine[index], `${seed}/${round}/${index} ${JSON.stringify(step)}`).toEqual(other[index]);
        });
        const expected = await contents(theirs);
        const held = await contents(ours);
        expect(roughly(held)).toEqual(roughly(expected));
        ours.disconnect();
        await embedded.restart();
        ours = connect(embedded);
        expect(await contents(ours), "after a restart").toEqual(held);
      }
      ours.disconnect();
      theirs.disconnect();
    },
  );
});

/** One command, or several in one script, which gives what each gave. */
type Step = { bare: Command } | { script: readonly Command[] };

function randomStep(choices: Choices): Step {
  if (choices.below(3) > 0) return { bare: randomCommand(choices) };
  return { script: Array.from({ length: 1 + choices.below(5) }, () => randomCommand(choices)) };
}

const script = `
  local at, replies = 1, {}
  while at <= #ARGV do
    local count = tonumber(ARGV[at])
    local reply = redis.pcall(unpack(ARGV, at + 1, at + count))
    if type(reply) == "table" and reply.err then reply = "refused" end
    if type(reply) == "table" and reply.ok then reply = reply.ok end
    if reply == false then reply = "nothing" end
    replies[#replies + 1] = reply
    at = at + count + 1
  end
  return replies`;

async function play(client: Redis, steps: readonly Step[]): Promise<unknown[]> {
  const pipeline = client.pipeline();
  for (const step of steps) {
    if ("bare" in step) pipeline.call(...step.bare);
    else pipeline.eval(script, 0, ...step.script.flatMap((command) => [String(command.length), ...command]));
  }
  const replies = (await pipeline.exec())!;
  return replies.map(([error, reply], index) => {
    const step = steps[index]!;
    if (error) return "refused";
    if ("bare" in step) return sorted(step.bare, reply);
    return (reply as unknown[]).map((one, at) => sorted(step.script[at]!, one));
  });
}

function sorted([name]: Command, reply: unknown): unknown {
  if (!unordered.has(name) || !Array.isArray(reply)) return reply;
  const flat = name === "HSCAN" ? (reply[1] as string[]) : (reply as string[]);
  if (name === "SMEMBERS") return [...flat].sort();
  return flat.flatMap((field, index) => (index % 2 ? [] : [[field, flat[index + 1]]])).sort();
}

type Contents = Record<string, { type: string; value: unknown; expiresAt: number }>;

async function contents(client: Redis): Promise<Contents> {
  const found: Contents = {};
  expect(new Set(keys)).toEqual(new Set([...keys, ...(await client.keys("*"))]));
  for (const key of keys) {
    const type = await client.type(key);
    const value = await {
      none: () => null,
      string: () => client.getBuffer(key),
      hash: () => client.call("HGETALL", key).then((reply) => sorted(["HGETALL"], reply)),
      zset: () => client.zrange(key, "0", "-1", "WITHSCORES"),
      set: () => client.call("SMEMBERS", key).then((reply) => sorted(["SMEMBERS"], reply)),
      list: () => client.lrange(key, "0", "-1"),
    }[type as "none" | "string" | "hash" | "zset" | "set" | "list"]();
    found[key] = { type, value, expiresAt: Number(await client.call("PEXPIRETIME", key)) };
  }
  return found;
}

/** The same with expiries to the nearest quarter of an hour: the two are asked a moment apart. */
function roughly(found: Contents): Contents {
  return Object.fromEntries(
    Object.entries(found).map(([key, { expiresAt, ...rest }]) => [
      key,
      { ...rest, expiresAt: expiresAt < 0 ? expiresAt : Math.round((expiresAt - Date.now()) / 900_000) },
    ]),
  );
}

function connect(store: TestStore): Redis {
  const client = new Redis({ path: store.url.slice("unix://".length), protocol: 2 });
  client.on("error", () => {}); // a command says what went wrong
  return client;
}
