import type { CommandDefinition, RedisExecutionContext } from "js-redis-server/core";
import { RedisResult, RedisValue } from "js-redis-server/core";
import { ContextOf } from "./context-of.js";
import type { LiveDatabase } from "./live-database.js";
import type { SortedMember, SortedMembers } from "./sorted-members.js";

/** A range of ranks, ascending: `from` included, `to` excluded. */
interface Span {
  from: number;
  to: number;
}

interface Limit {
  offset: number;
  count: number;
}

interface RangeArgs {
  key: Buffer;
  by?: "index" | "score" | "lex";
  rev?: boolean;
  min?: Buffer | string;
  max?: Buffer | string;
  first?: Buffer;
  second?: Buffer;
  start?: number;
  stop?: number;
  limit?: Limit;
  member?: Buffer;
}

type Locate = (members: SortedMembers, args: RangeArgs) => Span | undefined;

/**
 * The commands on sorted sets that read or remove a range, at a cost that does not grow with the set.
 *
 * Each finds the span of ranks in question by binary search, then has the shipped command work on those members
 * alone, which keeps its replies and its refusals. What is not understood here goes to the shipped command whole.
 */
export function rangedCommands(
  shipped: (name: string) => CommandDefinition | undefined,
): CommandDefinition[] {
  const made: CommandDefinition[] = [];
  const replace = (
    name: string,
    make: (definition: CommandDefinition<RangeArgs>) => CommandDefinition<RangeArgs>["execute"],
  ): void => {
    const definition = shipped(name) as CommandDefinition<RangeArgs> | undefined;
    if (definition) made.push({ ...definition, execute: make(definition) } as CommandDefinition);
  };
  for (const [name, locate] of Object.entries(reads)) {
    replace(name, (definition) => (args, ctx) => {
      const members = membersOf(ctx, args.key);
      const span = members && locate(members, args);
      if (!span) return definition.execute(args, ctx);
      const narrowed = seeingOnly(ctx, members.slice(span.from, span.to));
      return definition.execute(isByRank(name, args) ? { ...args, ...allRanks } : args, narrowed);
    });
  }
  for (const [name, locate] of Object.entries(counts)) {
    replace(name, (definition) => (args, ctx) => {
      const members = membersOf(ctx, args.key);
      const span = members && locate(members, args);
      if (!span) return definition.execute(args, ctx);
      return RedisResult.create(RedisValue.integer(Math.max(0, span.to - span.from)));
    });
  }
  for (const [name, locate] of Object.entries(removals)) {
    replace(name, (definition) => (args, ctx) => {
      const members = membersOf(ctx, args.key);
      const span = members && locate(members, args);
      if (!span) return definition.execute(args, ctx);
      const doomed = members.slice(span.from, span.to);
      ctx.db.updateSortedSet(args.key, (sorted) => {
        for (const { member } of doomed) sorted.deleteMember(member);
      });
      return RedisResult.create(RedisValue.integer(doomed.length));
    });
  }
  for (const name of ["zrank", "zrevrank"]) {
    replace(name, (definition) => (args, ctx) => {
      const members = membersOf(ctx, args.key);
      const entry = args.member && members?.get(args.member.toString("hex"));
      if (!members || !entry || ("withScore" in args && args.withScore)) return definition.execute(args, ctx);
      const rank = members.rankOf(entry);
      return RedisResult.create(RedisValue.integer(name === "zrank" ? rank : members.size - 1 - rank));
    });
  }
  return made;
}

/** A bound as its token says: a number, perhaps exclusive; nothing when the token is malformed. */
function scoreSpan(members: SortedMembers, low: Buffer | string, high: Buffer | string): Span | undefined {
  const min = scoreBound(low.toString());
  const max = scoreBound(high.toString());
  if (!min || !max) return undefined;
  return {
    from: members.rank(({ score }) => score < min.value || (min.exclusive && score === min.value)),
    to: members.rank(({ score }) => score < max.value || (!max.exclusive && score === max.value)),
  };
}

function scoreBound(token: string): { value: number; exclusive: boolean } | undefined {
  const exclusive = token.startsWith("(");
  const text = exclusive ? token.slice(1) : token;
  const value = /^[+]?inf$/i.test(text)
    ? Number.POSITIVE_INFINITY
    : /^-inf$/i.test(text)
      ? Number.NEGATIVE_INFINITY
      : Number(text);
  return text.trim() === "" || Number.isNaN(value) ? undefined : { value, exclusive };
}

/** Ranges by name are defined only where all scores are equal, and there the order is that of the names. */
function lexSpan(members: SortedMembers, low: Buffer, high: Buffer): Span | undefined {
  const ends = [...members.slice(0, 1), ...members.slice(members.size - 1, members.size)];
  if (ends.length < 2 || ends[0]!.score !== ends[1]!.score) return undefined;
  const from = lexRank(members, low, false);
  const to = lexRank(members, high, true);
  return from === undefined || to === undefined ? undefined : { from, to };
}

function lexRank(members: SortedMembers, token: Buffer, isUpper: boolean): number | undefined {
  const text = token.toString("latin1");
  if (text === "-") return 0;
  if (text === "+") return members.size;
  if (!text.startsWith("[") && !text.startsWith("(")) return undefined;
  const name = token.subarray(1);
  const withName = text.startsWith("[") === isUpper;
  return members.rank(({ member }) => {
    const order = Buffer.compare(member, name);
    return order < 0 || (withName && order === 0);
  });
}

function indexSpan(members: SortedMembers, start: number, stop: number, rev: boolean): Span | undefined {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(stop)) return undefined;
  const size = members.size;
  const first = start < 0 ? Math.max(0, size + start) : start;
  const last = stop < 0 ? size + stop : Math.min(stop, size - 1);
  if (first > last) return { from: 0, to: 0 };
  return rev ? { from: size - 1 - last, to: size - first } : { from: first, to: last + 1 };
}

/** What a LIMIT can reach, from the end it counts from; the shipped command then skips and cuts. */
function reachable(span: Span | undefined, limit: Limit | undefined, rev: boolean): Span | undefined {
  if (!span || !limit || limit.count < 0 || limit.offset < 0) return span;
  const reach = limit.offset + limit.count;
  return rev
    ? { from: Math.max(span.from, span.to - reach), to: span.to }
    : { from: span.from, to: Math.min(span.to, span.from + reach) };
}

const reads: Record<string, Locate> = {
  zrangebyscore: (members, { first, second, limit }) =>
    reachable(scoreSpan(members, first!, second!), limit, false),
  zrevrangebyscore: (members, { first, second, limit }) =>
    reachable(scoreSpan(members, second!, first!), limit, true),
  zrangebylex: (members, { first, second, limit }) =>
    reachable(lexSpan(members, first!, second!), limit, false),
  zrevrangebylex: (members, { first, second, limit }) =>
    reachable(lexSpan(members, second!, first!), limit, true),
  zrange: (members, { by, rev = false, min, max, limit }) => {
    const [low, high] = rev ? [max as Buffer, min as Buffer] : [min as Buffer, max as Buffer];
    if (by === "score") return reachable(scoreSpan(members, low, high), limit, rev);
    if (by === "lex") return reachable(lexSpan(members, low, high), limit, rev);
    return indexSpan(members, Number(min), Number(max), rev);
  },
  zrevrange: (members, { start, stop }) => indexSpan(members, start!, stop!, true),
};

/** The members a span of ranks selects are all that the shipped command is shown, so it takes them all. */
const allRanks = { min: Buffer.from("0"), max: Buffer.from("-1"), start: 0, stop: -1 };

function isByRank(name: string, args: RangeArgs): boolean {
  return name === "zrevrange" || (name === "zrange" && args.by === "index");
}

const counts: Record<string, Locate> = {
  zcount: (members, { min, max }) => scoreSpan(members, min!, max!),
  zlexcount: (members, { min, max }) => lexSpan(members, min as Buffer, max as Buffer),
};

const removals: Record<string, Locate> = {
  zremrangebyscore: (members, { min, max }) => scoreSpan(members, min!, max!),
  zremrangebylex: (members, { min, max }) => lexSpan(members, min as Buffer, max as Buffer),
  zremrangebyrank: (members, { start, stop }) => indexSpan(members, start!, stop!, false),
};

function membersOf(ctx: RedisExecutionContext, key: Buffer): SortedMembers | null {
  return (ctx.db as LiveDatabase).sortedMembers(key);
}

function seeingOnly(ctx: RedisExecutionContext, entries: readonly SortedMember[]): RedisExecutionContext {
  // By whatever name: of these members only all are asked for.
  const members = new Map(entries.map((entry, n) => [String(n), entry]));
  const getSortedSet = (): { type: "zset"; members: typeof members } => ({ type: "zset", members });
  return new ContextOf(ctx, { db: { getSortedSet } as unknown as RedisExecutionContext["db"] });
}
