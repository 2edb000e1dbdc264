import { parseTopic, rootOf } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import type { StoredMessage } from "../mailbox/index.js";
import { loadScript, topicRootKeys } from "../redis/index.js";
import { denied, isUnbound, type TopicContext } from "./context.js";
import { priorities } from "./settings.js";

const publishScript = loadScript(import.meta.url, "publish-message.lua");

/** Tells one publish from another: the same key and digest again is the same publish. */
export interface PublishOperation {
  readonly key: string;
  readonly digest: string;
  readonly attempt: string;
  readonly keepMs: number;
  /** Not done any more once this lease is over, see redis/lua/lease.lua. */
  readonly lease?: string;
}

/**
 * Appends a message to the topic it is addressed to, once per operation, and wakes who waits for it. The topic and its
 * parents exist from then on. Costs the same for one subscriber and for any number.
 *
 * @param row the audit row of the decision; empty where it was recorded when the message was accepted
 * @param ttlMs after which the message is no longer delivered; without it, it lives as long as the topic's history
 * Whether the caller may publish here at all was decided when its message was accepted; what is delivered from an outbox
 * is not decided twice.
 *
 * @throws {MailboxError} `access.denied` when the topic's access list leaves the caller out, `lock.stale_token`
 */
export async function publishMessage(
  context: TopicContext,
  caller: Caller,
  message: StoredMessage,
  operation: PublishOperation,
  row: string,
  ttlMs = 0,
): Promise<{ readonly state: "stored" | "replayed" | "conflict"; readonly id: string }> {
  const topic = parseTopic(message.to);
  const root = rootOf(topic);
  const { namespace, agent } = caller.principal;
  await context.registerRoot(namespace, root);
  const keys = topicRootKeys(namespace, root);
  const body = JSON.stringify(message);
  const { limits } = context;
  const rights = await context.rightsOf(caller);
  const [word, id] = await context.run(
    namespace,
    root,
    publishScript,
    [keys.operations, keys.operationExpiry, keys.index(topic), keys.trims(topic), keys.audit],
    [
      operation.key,
      operation.digest,
      operation.attempt,
      operation.keepMs,
      message.id,
      body,
      topic,
      agent,
      priorities.indexOf(message.priority),
      Buffer.byteLength(body),
      message.thread,
      ttlMs,
      limits.retentionMs,
      limits.retentionCount,
      limits.retentionBytes,
      limits.trimMost,
      isUnbound(rights) ? "1" : "0",
      row,
      ...(operation.lease === undefined ? [] : [operation.lease]),
    ],
  );
  if (word === "CONFLICT") return { state: "conflict", id: message.id };
  if (word === "LEASE_OVER") refuse("lock.stale_token", { done: "sent" });
  if (word === "DENIED") denied(caller, "topic.publish", topic);
  return { state: word === "STORED" ? "stored" : "replayed", id: String(id) };
}
