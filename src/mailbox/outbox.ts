import { isRefusal } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { directoryKeys, loadScript, type MailboxName, mailboxKeys } from "../redis/index.js";
import { releaseRefused, settleAttachments } from "./attachment-references.js";
import type { MailContext } from "./context.js";
import { lookUp } from "./find-delivery.js";
import { insertMessage, type Posting } from "./insert-message.js";
import { noteRecalled } from "./note-recalled.js";
import type { Operation } from "./operation.js";
import { postmaster, tell } from "./tell.js";

const advanceOutbox = loadScript(import.meta.url, "advance-outbox.lua");

export interface OutboxEntry {
  readonly posting: Posting;
  readonly namespace: string;
  readonly agent: string;
  readonly verified: boolean;
}

/** `bob`, `queue:reviewers` or `topic:builds.ci`. */
export type OutboxTarget = string;

const givenUpAfterMs = 24 * 60 * 60 * 1000;

export async function advanceEntry(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
  field: string,
  reached: readonly OutboxTarget[],
  answer?: { readonly key: string; readonly text: string },
  rows: readonly string[] = [],
): Promise<number> {
  const own = mailboxKeys(namespace, mailbox);
  const [, , left] = await context.deps.store.run(
    advanceOutbox,
    [own.operations, own.outbox, own.audit],
    [field, reached.join(","), answer?.key ?? "", answer?.text ?? "", rows.join("\n")],
  );
  return Number(left);
}

/** What waits in a sender's outbox of one message, and for whom. */
export async function waitingEntry(
  context: MailContext,
  namespace: string,
  sender: string,
  id: string,
): Promise<{ readonly waiting: ReadonlySet<OutboxTarget>; readonly entry: OutboxEntry | undefined }> {
  const { outbox } = mailboxKeys(namespace, sender);
  const [left, entry] = (await context.deps.store.command("HMGET", outbox, `left:${id}`, `entry:${id}`)) as (
    | string
    | null
  )[];
  return {
    waiting: new Set((left ?? "").split(",").filter(Boolean)),
    entry: entry ? (JSON.parse(entry) as OutboxEntry) : undefined,
  };
}

/** What an agent that was stopped has sent waits in its outbox, however long, until it is let go on. */
export function isHeldBack(
  context: MailContext,
  { namespace, agent }: Pick<OutboxEntry, "namespace" | "agent">,
): Promise<boolean> {
  return context.deps.isStopped(namespace, agent);
}

/** What makes that one recipient gets a message of an outbox once. */
export function insertion(context: MailContext, messageId: string): Operation {
  return {
    key: `m|${messageId}`,
    digest: "m",
    attempt: messageId,
    keepMs: context.limits.idempotencyMs * 2,
    keyed: true,
  };
}

/** Hands one recipient of an outbox entry its message, once however often it is tried; false where it was taken back before. */
export async function deliver(context: MailContext, entry: OutboxEntry, to: OutboxTarget): Promise<boolean> {
  const { message } = entry.posting;
  const operation = insertion(context, message.id);
  if (to.startsWith("topic:")) {
    const caller = {
      principal: {
        namespace: entry.namespace,
        agent: entry.agent,
        verified: entry.verified,
        roles: ["agent"],
        credential: { kind: "operator" },
      },
      run: { id: "" },
    };
    const { id } = await context.deps.publish(
      caller as unknown as Caller,
      to.slice("topic:".length),
      { ...message, to },
      operation,
      "",
      entry.posting.ttlMs,
    );
    return id !== "";
  }
  const { id } = await insertMessage(context, entry.namespace, to, entry.posting, operation, "");
  return id !== "";
}

/**
 * Reaches whoever is still due in one mailbox's outbox: recipients of a send that was cut short, and senders to be told
 * of a dead letter. Any process may do it at any time, several at once too: each insertion happens once.
 */
export async function flushOutbox(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
): Promise<void> {
  const { deps } = context;
  const own = mailboxKeys(namespace, mailbox);
  const fields = await deps.store.hash(own.outbox);
  await settleAttachments(context, namespace, mailbox, fields);
  const closed = new Set<string>();
  // What happened first to a message is told first.
  for (const [field, text] of [...fields].sort(([a], [b]) => (a < b ? -1 : 1))) {
    try {
      if (field.startsWith("notice:")) await sendNotice(context, namespace, mailbox, field, text, closed);
      if (field.startsWith("entry:"))
        await finish(context, mailbox, field.slice("entry:".length), text, fields);
    } catch (error) {
      if (!isRefusal(error) || error.kind === "UNAVAILABLE" || error.kind === "UNKNOWN") throw error;
      // Whoever has no room, or wants none of it, keeps nobody else waiting.
      deps.log("what waits in an outbox is tried again", { field, error: error.message });
    }
  }
  const left = Number(await deps.store.command("HLEN", own.outbox));
  const { outboxes } = directoryKeys(namespace);
  if (left === 0) await deps.store.command("ZREM", outboxes, mailbox);
  else await deps.store.command("ZADD", outboxes, (deps.store.now() + 2_000).toFixed(0), mailbox);
}

/** Makes sure a mailbox is swept soon, whatever becomes of this process. */
export async function expectFlush(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
): Promise<void> {
  const { outboxes } = directoryKeys(namespace);
  await context.deps.store.command("ZADD", outboxes, context.deps.store.now().toFixed(0), mailbox);
}

/** Makes sure a mailbox with something in its outbox is swept, and sweeps it now. */
export async function flushSoon(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
): Promise<void> {
  try {
    await expectFlush(context, namespace, mailbox);
    await flushOutbox(context, namespace, mailbox);
  } catch (error) {
    context.deps.log("an outbox waits for the next sweep", { error: (error as Error).message });
  }
}

/** Flushes every outbox that is due; called by the one process that sweeps. */
export async function sweepOutboxes(context: MailContext, namespace: string): Promise<void> {
  const { store } = context.deps;
  const { outboxes } = directoryKeys(namespace);
  // An entry of the last two seconds is still in the hands of its sender.
  const due = (await store.command(
    "ZRANGEBYSCORE",
    outboxes,
    "-inf",
    (store.now() - 2_000).toFixed(0),
    "LIMIT",
    0,
    50,
  )) as string[];
  for (const mailbox of due) await flushOutbox(context, namespace, mailbox);
}

async function finish(
  context: MailContext,
  mailbox: MailboxName,
  id: string,
  text: string,
  fields: ReadonlyMap<string, string>,
): Promise<void> {
  const entry = JSON.parse(text) as OutboxEntry;
  const targets = (fields.get(`left:${id}`) ?? "").split(",").filter(Boolean);
  const tooOld = context.deps.store.now() - entry.posting.message.sentAt > givenUpAfterMs;
  const reached: string[] = [];
  const takenBack: string[] = [];
  try {
    for (const to of targets) {
      if (await isHeldBack(context, entry)) break;
      try {
        if (!(await deliver(context, entry, to))) {
          takenBack.push(to);
          continue;
        }
      } catch (error) {
        if (!tooOld) continue;
        await giveUp(context, entry, to, error as Error);
      }
      reached.push(to);
    }
  } finally {
    // Also when a sender has no room to be told that another was given up.
    if (reached.length > 0) await advanceEntry(context, entry.namespace, mailbox, id, reached);
    // Whoever recalled it may have died before that was noted.
    if (takenBack.length > 0)
      await noteRecalled(context, entry.namespace, mailbox, id, takenBack, takenBack, entry.posting);
  }
}

async function giveUp(context: MailContext, entry: OutboxEntry, to: OutboxTarget, why: Error): Promise<void> {
  const { message } = entry.posting;
  await tell(context, entry.namespace, entry.agent, {
    about: `outbox:${message.id}:${to}`,
    thread: message.thread,
    lines: [
      `Your message ${message.id} could not be delivered to ${to} within 24 h and was given up.`,
      "Send it again if it still matters.",
    ],
  });
  await releaseRefused(context, entry.namespace, message, [to]);
  context.deps.log("an undeliverable message was given up", { id: message.id, error: why.message });
}

/** @param closed whose mailboxes have refused one of these notices: what else there is for them waits for the next time */
async function sendNotice(
  context: MailContext,
  namespace: string,
  mailbox: MailboxName,
  field: string,
  text: string,
  closed: Set<string>,
): Promise<void> {
  const [kind, sender, reason, times, said, at] = text.split("|");
  if (sender && closed.has(sender)) return;
  const words = Buffer.from(said ?? "", "base64url").toString();
  const id = field.split(":")[1]!;
  const [entry] = await lookUp(context, namespace, mailbox, [id]);
  const lines =
    kind === "dead"
      ? [
          `Your message ${id} to ${mailbox} is now a dead letter there (${(reason ?? "").replaceAll("_", " ")}, failed deliveries: ${times}).`,
          ...(words ? [`Whoever had it said: ${words}`] : []),
          "Nobody will work on it. Send a corrected one, or ask the operator to requeue it.",
        ]
      : [
          `Your message ${id} to ${mailbox} was read but not acknowledged, after two reminders.`,
          "It stays open there. Ask again, or do without the answer.",
        ];
  try {
    if (sender && sender !== postmaster)
      await tell(context, namespace, sender, {
        about: field,
        thread: entry?.record.thread ?? id,
        lines,
      });
  } catch (error) {
    if (!isRefusal(error) || error.kind === "UNAVAILABLE" || error.kind === "UNKNOWN") throw error;
    closed.add(sender!);
    if (context.deps.store.now() - Number(at) <= givenUpAfterMs) throw error;
    context.deps.log("a notice that could not be given was given up", { field, error: error.message });
  }
  await advanceEntry(context, namespace, mailbox, field, [text]);
}
