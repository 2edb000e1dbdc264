/** What the topics room allows, and how far it looks at a call. */
export interface TopicLimits {
  readonly retentionMs: number;
  readonly retentionCount: number;
  readonly retentionBytes: number;
  /** Messages one publish trims at most, so that its cost stays bounded. */
  readonly trimMost: number;
  /** What was delivered and not confirmed for longer counts as settled. */
  readonly unconfirmedMs: number;
  /** A topic that nobody used or follows for this long is removed, unless something was set for it. */
  readonly idleMs: number;
  /** Topic roots one read looks at; the others have their turn with the next. */
  readonly rootsMost: number;
  /** Topics with news one read looks into, per root. */
  readonly topicsMost: number;
  /** Messages of one topic one read looks at in search of what passes its filters. */
  readonly scanMost: number;
  /** Messages larger than this are cut in a reply and stay open until they were read to the end. */
  readonly cutBytes: number;
}

const dayMs = 86_400_000;

export const topicLimits: TopicLimits = {
  retentionMs: 7 * dayMs,
  retentionCount: 100_000,
  retentionBytes: 64 * 1024 * 1024,
  trimMost: 10,
  unconfirmedMs: dayMs,
  idleMs: dayMs,
  rootsMost: 32,
  topicsMost: 64,
  scanMost: 20_000,
  cutBytes: 10_000,
};
