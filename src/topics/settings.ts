import type { Priority } from "../mailbox/index.js";

/** The priorities from low to urgent; their place is their number in the store. */
export const priorities: readonly Priority[] = ["low", "normal", "high", "urgent"];

/** What can be set for a topic; what is not set is inherited from the nearest parent that sets it. */
export interface TopicSettings {
  readonly retentionMs?: number;
  readonly retentionCount?: number;
  readonly retentionBytes?: number;
  /** Agents who may publish, or everyone. */
  readonly publishers?: readonly string[] | "everyone";
  /** Agents who may read and follow, or everyone. */
  readonly readers?: readonly string[] | "everyone";
  readonly subscribersMost?: number;
}

const words = {
  retentionMs: "retention_ms",
  retentionCount: "retention_count",
  retentionBytes: "retention_bytes",
  publishers: "publishers",
  readers: "readers",
  subscribersMost: "subscribers_most",
} as const satisfies Record<keyof TopicSettings, string>;

export const settingNames = Object.keys(words) as readonly (keyof TopicSettings)[];

export function settingField(topic: string, name: keyof TopicSettings): string {
  return `${topic}|${words[name]}`;
}

export function writeSetting(value: number | readonly string[] | "everyone"): string {
  if (value === "everyone") return "*";
  return typeof value === "number" ? String(value) : value.join(",");
}

/** What was set for exactly this topic. */
export function ownSettings(fields: ReadonlyMap<string, string>, topic: string): TopicSettings {
  const settings: Record<string, unknown> = {};
  for (const name of settingNames) {
    const value = fields.get(settingField(topic, name));
    if (value === undefined) continue;
    if (name === "publishers" || name === "readers")
      settings[name] = value === "*" ? "everyone" : value.split(",").filter((word) => word !== "");
    else settings[name] = Number(value);
  }
  return settings as TopicSettings;
}
