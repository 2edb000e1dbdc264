import { RedisDatabase, type RedisStreamData } from "js-redis-server/core";
import type { EffectBuffer } from "./effects.js";
import { streamState } from "./keyspace.js";
import type { MarkChanged } from "./recorded-values.js";

export type StreamTracker = Parameters<Parameters<RedisDatabase["updateStream"]>[1]>[0];
type StreamTrackerClass = new (
  stream: RedisStreamData,
  tracker: { markChanged: MarkChanged; markCommitted: MarkChanged },
) => StreamTracker;
type Method = (...args: unknown[]) => unknown;

/** What changes no entry, but groups, consumers, pending entries or counters. */
const stateMethods = [
  "ack",
  "setId",
  "setGroupId",
  "readGroup",
  "claim",
  "autoClaim",
  "addGroup",
  "deleteGroup",
  "addConsumer",
  "deleteConsumer",
] as const satisfies readonly (keyof StreamTracker)[];

/**
 * A stream's tracker that records: appending costs the same however long the stream is; what touches groups records
 * all of the stream but its entries.
 */
export function recordedStream(
  key: Buffer,
  stream: RedisStreamData,
  effects: EffectBuffer,
  markChanged: MarkChanged,
  markCommitted: MarkChanged,
): StreamTracker {
  const tracker = new (trackerClass())(stream, { markChanged, markCommitted });
  const { appendEntry, trim, deleteEntries } = tracker;
  const state = (): void => effects.streamState(key, streamState(stream));
  tracker.appendEntry = (id, fields) => {
    appendEntry.call(tracker, id, fields);
    effects.streamAppend(key, id.ms, id.seq, fields);
  };
  tracker.trim = (callback) => {
    const removed = trim.call(tracker, callback); // always from the old end
    if (removed > 0) {
      effects.streamTrim(key, removed);
      state();
    }
    return removed;
  };
  tracker.deleteEntries = (targets, compare, onDelete) => {
    const removed = deleteEntries.call(tracker, targets, compare, (entry) => {
      onDelete(entry);
      effects.streamRemove(key, entry.id.ms, entry.id.seq);
    });
    if (removed > 0) state();
    return removed;
  };
  for (const name of stateMethods) {
    const method = tracker[name] as Method;
    const recorded: Method = (...args) => {
      const result = method.apply(tracker, args);
      state();
      return result;
    };
    (tracker as unknown as Record<string, Method>)[name] = recorded;
  }
  return tracker;
}

let found: StreamTrackerClass | undefined;

/** The engine does not export the class its stream commands expect, but hands out instances of it. */
function trackerClass(): StreamTrackerClass {
  found ??= new RedisDatabase(0).updateStream(
    Buffer.from("any"),
    (tracked) => tracked.constructor as StreamTrackerClass,
  );
  return found;
}
