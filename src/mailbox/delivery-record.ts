import type { ReplyValue } from "../redis/index.js";
import type { DeliveryState } from "./contract.js";
import type { Delivery, StoredMessage } from "./feed.js";

/** The record lua/delivery.lua keeps for each message, field by field. */
export interface DeliveryRecord {
  readonly state: "ready" | "delayed" | "open" | "settled" | "unconfirmed" | "dead" | "recalled" | "purged";
  readonly sequence: number;
  readonly priority: number;
  readonly sender: string;
  readonly count: number;
  readonly run: string;
  readonly batch: string;
  readonly at: number;
  readonly expires: number;
  readonly flags: string;
  readonly bytes: number;
  readonly thread: string;
  readonly failures: number;
  readonly openedAt: number;
  readonly reminded: number;
  readonly reason: string;
  /** Why it was given back or rejected, in the words of who did it. */
  readonly said: string;
}

export interface Entry {
  readonly id: string;
  readonly record: DeliveryRecord;
  /** Undefined where the script was asked for records alone. */
  readonly message: StoredMessage | undefined;
}

export function parseRecord(text: string): DeliveryRecord {
  const words = text.split("|");
  const number = (n: number): number => Number(words[n]);
  return {
    state: words[0] as DeliveryRecord["state"],
    sequence: number(1),
    priority: number(2),
    sender: words[3]!,
    count: number(4),
    run: words[5]!,
    batch: words[6]!,
    at: number(7),
    expires: number(8),
    flags: words[9]!,
    bytes: number(10),
    thread: words[11]!,
    failures: number(12),
    openedAt: number(13),
    reminded: number(14),
    reason: words[15]!,
    said: words[17] ? Buffer.from(words[17], "base64url").toString() : "",
  };
}

/** Reads the flat list id, record, body, … that scripts return. */
export function parseEntries(flat: ReplyValue | undefined): Entry[] {
  const list = (flat ?? []) as readonly string[];
  const entries: Entry[] = [];
  for (let n = 0; n + 2 < list.length; n += 3) {
    const body = list[n + 2]!;
    entries.push({
      id: list[n]!,
      record: parseRecord(list[n + 1]!),
      message: body === "" ? undefined : (JSON.parse(body) as StoredMessage),
    });
  }
  return entries;
}

/** Those that came with their message. */
export function withMessages(entries: readonly Entry[]): (Entry & { readonly message: StoredMessage })[] {
  return entries.filter((entry): entry is Entry & { message: StoredMessage } => entry.message !== undefined);
}

export function deliveryState(record: DeliveryRecord): DeliveryState {
  switch (record.state) {
    case "ready":
    case "delayed":
      return "stored";
    case "open":
      return "read";
    case "dead":
    case "purged":
      return record.reason === "expired" ? "expired" : "dead";
    default:
      return record.state;
  }
}

export function toDelivery(entry: Entry & { readonly message: StoredMessage }): Delivery {
  const { record, message } = entry;
  const job = record.flags.includes("j");
  const delivery: { -readonly [Name in keyof Delivery]: Delivery[Name] } = {
    message,
    state: deliveryState(record),
    sequence: record.sequence,
    count: record.count,
    ackRequired: record.flags.includes("a"),
    job,
    expiresAt: record.expires,
    cut: record.flags.includes("c"),
  };
  if (job && record.state === "open") delivery.claimedUntil = record.at;
  return delivery;
}
