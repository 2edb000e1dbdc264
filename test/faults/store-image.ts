import { Redis } from "ioredis";

/**
 * Everything a namespace holds in the store, with ids, times and attempts replaced by words: two namespaces in which the
 * same was done look the same.
 */
export async function storeImage(url: string, namespace: string): Promise<Record<string, unknown>> {
  const redis = new Redis({ path: url.slice("unix://".length) });
  try {
    const image: Record<string, unknown> = {};
    // Who sweeps, and what is to be swept, change by time alone.
    const keys = (await redis.keys(`{${namespace}:*`))
      .filter((key) => !/:dir}:(sweeper|outboxes)$/.test(key))
      .sort();
    const types = await inOne(
      redis,
      keys.map((key) => ["type", key]),
    );
    const contents = await inOne(
      redis,
      keys.map((key, n) => {
        const [command, ...range] = readOf[String(types[n])] ?? ["get"];
        return [command, key, ...range];
      }),
    );
    keys.forEach((key, n) => {
      const name = plain(key, namespace);
      if (name in image) throw new Error(`two keys look like ${name}`);
      image[name] = shown(String(types[n]), contents[n], namespace);
    });
    return image;
  } finally {
    redis.disconnect();
  }
}

/** What is read of a key of each type, and how much of it. */
const readOf: Readonly<Record<string, readonly [command: string, ...range: string[]]>> = {
  hash: ["hgetall"],
  set: ["smembers"],
  list: ["lrange", "0", "-1"],
  zset: ["zrange", "0", "-1"],
};

/** The answers to all of them, asked for at once. */
async function inOne(redis: Redis, commands: string[][]): Promise<unknown[]> {
  const answers = (await redis.pipeline(commands).exec()) ?? [];
  return answers.map(([error, answer]) => {
    if (error) throw error;
    return answer;
  });
}

function shown(type: string, content: unknown, namespace: string): unknown {
  const words = (texts: readonly string[]) => counted(texts.map((text) => plain(text, namespace)));
  if (type === "hash")
    return words(
      Object.entries(content as Record<string, string>).map(([field, value]) => `${field} = ${value}`),
    );
  // Which decisions were recorded: their names and times are of one execution.
  if (type === "list") return words((content as string[]).map(withoutName));
  if (type === "set" || type === "zset") return words(content as string[]);
  return { string: plain((content as string | null) ?? "", namespace) };
}

function withoutName(row: string): string {
  return row.replace(/^\d+\|\{"i":"[^"]*"/, 'TIME|{"i":"NAME"').replace(/"r":"[^"]*"/, '"r":"RUN"');
}

/** Entries and how often each occurs: what differs only in ids looks the same, and must be there as often. */
function counted(entries: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const entry of [...entries].sort()) counts[entry] = (counts[entry] ?? 0) + 1;
  return counts;
}

/** A text of the store without what differs from one execution to the next. */
export function plain(text: string, namespace: string): string {
  return text
    .replaceAll(namespace, "NS")
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "ATTEMPT")
    .replace(/\b[0-9a-z]{8,13}-[0-9a-z]{13}\b/g, "ID")
    .replace(/\blk-[0-9a-z]{12}\b/g, "LOCK")
    .replace(/(?<=^|\||= )[A-Za-z0-9_-]{12}(?=\||$)/g, "PROCESS")
    .replace(/\/[A-Za-z0-9_-]{12}(?![A-Za-z0-9_-])/g, "/RUN")
    .replace(/(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])/g, "DIGEST")
    .replace(/"run":"[A-Za-z0-9_-]{12}"/g, '"run":"RUN"')
    .replace(/mailbox-proxy-\w+/g, "PROXY")
    .replace(/\b20\d\d-[\d-]+T[\d:.]+Z\b/g, "TIME")
    .replace(/\b\d{8,}(\.\d+)?\b/g, "TIME");
}
