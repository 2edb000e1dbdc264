import { type Caller, operatorPrincipal } from "../identity/index.js";
import type { MailContext } from "./context.js";
import { insertMessage } from "./insert-message.js";
import { newMessageId } from "./message-id.js";
import type { Operation } from "./operation.js";

/** Who signs what the system itself has to say. No agent can take this name. */
export const postmaster = "postmaster";

/** What the system has to say. */
export interface Notice {
  /** Told once for each of these within a day, however often it is tried. */
  readonly about: string;
  readonly subject?: string;
  readonly lines: readonly string[];
  readonly data?: Readonly<Record<string, unknown>>;
  /** The conversation it belongs to; without one it begins its own. */
  readonly thread?: string;
}

/**
 * Tells an agent, or whoever follows a topic, something in the name of the postmaster. Safe to repeat.
 *
 * @param to `bob` or `topic:builds.ci`
 * @returns the id of the message
 * @throws {MailboxError} `mailbox.full`, `mailbox.blocked` and what a topic refuses
 */
export async function tell(
  context: MailContext,
  namespace: string,
  to: string,
  { about, subject, lines, data, thread }: Notice,
): Promise<string> {
  const body = lines.join("\n");
  const now = context.deps.store.now();
  const id = newMessageId(now);
  const message = {
    id,
    from: postmaster,
    verified: true,
    to,
    sentAt: Math.round(now),
    priority: "normal",
    thread: thread ?? id,
    origin: id,
    ...(subject === undefined ? {} : { subject }),
    contentType: "text/plain",
    body,
    ...(data === undefined ? {} : { data }),
  } as const;
  const keepMs = context.limits.idempotencyMs;
  const operation: Operation = { key: `n|${about}`, digest: "n", attempt: "n", keepMs, keyed: true };
  if (to.startsWith("topic:")) {
    const told = await context.deps.publish(
      system(namespace),
      to.slice("topic:".length),
      message,
      operation,
      "",
    );
    return told.id;
  }
  const posting = {
    message,
    bytes: Buffer.byteLength(body),
    lifeMs: context.limits.expiryMs,
    ackRequired: false,
  };
  return (await insertMessage(context, namespace, to, posting, operation, "")).id;
}

/** Who asked for it was let pass when it asked; no list of a topic keeps the system out. */
function system(namespace: string): Caller {
  return { principal: operatorPrincipal(namespace), run: { id: "" as Caller["run"]["id"] } };
}
