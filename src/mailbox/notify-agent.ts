import type { MailContext } from "./context.js";
import { insertMessage } from "./insert-message.js";
import { newMessageId } from "./message-id.js";

/** Who signs what the system itself has to say. No agent can take this name. */
export const postmaster = "postmaster";

/** What an agent is told in the name of the postmaster. */
export interface Notice {
  /** The same name again within a day is the same notice. */
  readonly about: string;
  readonly body: string;
  readonly subject?: string;
  /** The conversation it belongs to; without one it begins its own. */
  readonly thread?: string;
}

/** Puts a notice into an agent's mailbox, once. @returns the id of the message */
export async function notifyAgent(
  context: MailContext,
  namespace: string,
  agent: string,
  { about, body, subject, thread }: Notice,
): Promise<string> {
  const now = context.deps.store.now();
  const id = newMessageId(now);
  const stored = await insertMessage(
    context,
    namespace,
    agent,
    {
      message: {
        id,
        from: postmaster,
        verified: true,
        to: agent,
        sentAt: Math.round(now),
        priority: "normal",
        thread: thread ?? id,
        origin: id,
        contentType: "text/plain",
        body,
        ...(subject === undefined ? {} : { subject }),
      },
      bytes: Buffer.byteLength(body),
      lifeMs: context.limits.expiryMs,
      ackRequired: false,
    },
    { key: `n|${about}`, digest: "n", attempt: "n", keepMs: context.limits.idempotencyMs, keyed: true },
    "",
  );
  return stored.id;
}
