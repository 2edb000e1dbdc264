/** The floor plan of the house: which room may come into which, and which package belongs to which room. */

/** Every room may use these. */
const foundations = ["errors", "addresses", "identity"] as const;

/** What the house can do. A capability knows the store and no other capability: compose hands it what it needs. */
export const capabilities = [
  "mailbox",
  "topics",
  "locks",
  "state",
  "policy",
  "approvals",
  "agents",
  "audit",
  "archive",
] as const;

const everyRoom = [
  ...foundations,
  ...capabilities,
  "config",
  "redis",
  "redis/engine",
  "bridges",
  "mcp",
  "http",
  "client",
  "observability",
] as const;

/** Room → rooms it may import by their doors. `.` is the top of src/: main.ts, compose.ts, index.ts. */
export const plan: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["cli"],
  "compose.ts": everyRoom,
  "index.ts": [...everyRoom, "compose.ts"],
  cli: [...everyRoom, "compose.ts"],
  errors: [],
  addresses: ["errors"],
  identity: ["errors", "addresses"],
  config: foundations,
  observability: foundations,
  redis: foundations,
  "redis/engine": [...foundations, "redis/engine/embedded"],
  "redis/engine/embedded": foundations,
  ...Object.fromEntries(capabilities.map((room) => [room, [...foundations, "redis"]])),
  bridges: [...foundations, ...capabilities, "observability"],
  mcp: [...foundations, ...capabilities, "observability"],
  http: [...foundations, ...capabilities, "observability", "mcp"],
  client: foundations,
};

/**
 * Where a capability may know the words of another, as types alone and by its door. A topic's messages and an agent's
 * own mail come out of the same read, so the topics room delivers in the words of the mailbox room.
 */
export const sharedWords: readonly (readonly [from: string, to: string])[] = [["topics", "mailbox"]];

/** Package → rooms that may import it. A package that is not here has no room yet. */
export const homes: Readonly<Record<string, readonly string[]>> = {
  ioredis: ["redis"],
  "js-redis-server": ["redis/engine/embedded"],
  "@modelcontextprotocol/server": ["mcp"],
  pino: ["observability"],
  commander: ["cli"],
  hono: ["http"],
  "@hono/node-server": ["http"],
  "@hono/zod-openapi": ["http"],
  ws: ["http"],
  jose: ["identity"],
  libsql: ["archive"],
  pg: ["archive"],
  kysely: ["archive"],
  "@marcbachmann/cel-js": ["policy"],
  yaml: ["policy"],
  re2js: ["policy", "mailbox"],
  ajv: ["mailbox"],
  "@opentelemetry/api": ["observability"],
  // What callers may ask is written in zod, wherever it is asked.
  zod: [...capabilities, "mcp", "http"],
};

/** The room a file belongs to: the deepest folder of the plan above it, or the file itself at the top of src/. */
export function roomOf(path: string): string {
  const parts = path.split("/").slice(1);
  if (parts.length === 1) return parts[0]!;
  for (let depth = parts.length - 1; depth > 1; depth--) {
    const room = parts.slice(0, depth).join("/");
    if (room in plan) return room;
  }
  return parts[0]!;
}
