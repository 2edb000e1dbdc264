import { Redis } from "ioredis";

/**
 * Everything a namespace holds in the store, with ids, times and attempts replaced by words: two namespaces in which the
 * same was done look the same.
 */
export async function storeImage(url: string, namespace: string): Promise<Record<string, unknown>> {
  const redis = new Redis({ path: url.slice("unix://".length) });
  try {
    const image: Record<string, unknown> = {};
    for (const key of (await redis.keys(`{${namespace}:*`)).sort()) {
      // Who sweeps, and what is to be swept, change by time alone.
      if (/:dir}:(sweeper|outboxes)$/.test(key)) continue;
      const name = plain(key, namespace);
      if (name in image) throw new Error(`two keys look like ${name}`);
      image[name] = await contentOf(redis, key, namespace);
    }
    return image;
  } finally {
    redis.disconnect();
  }
}

async function contentOf(redis: Redis, key: string, namespace: string): Promise<unknown> {
  const type = await redis.type(key);
  const shown = (text: string): string => plain(text, namespace);
  if (type === "hash")
    return counted(
      Object.entries(await redis.hgetall(key)).map(([field, value]) => shown(`${field} = ${value}`)),
    );
  if (type === "set") return counted((await redis.smembers(key)).map(shown));
  // Which decisions were recorded: their names and times are of one execution.
  if (type === "list") return counted((await redis.lrange(key, 0, -1)).map((row) => shown(withoutName(row))));
  if (type === "zset") return counted((await redis.zrange(key, "0", "-1")).map(shown));
  return { string: shown((await redis.get(key)) ?? "") };
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
    .replace(/\/[A-Za-z0-9_-]{12}(?![A-Za-z0-9_-])/g, "/RUN")
    .replace(/(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])/g, "DIGEST")
    .replace(/"run":"[A-Za-z0-9_-]{12}"/g, '"run":"RUN"')
    .replace(/mailbox-proxy-\w+/g, "PROXY")
    .replace(/\b20\d\d-[\d-]+T[\d:.]+Z\b/g, "TIME")
    .replace(/\b\d{8,}(\.\d+)?\b/g, "TIME");
}
