import { createHash } from "node:crypto";
import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { type Attachment, attachmentParts, attachmentRecord } from "./attachment-record.js";
import type { MailContext } from "./context.js";
import { noteCall } from "./note-call.js";
import { messageById } from "./search-messages.js";

export interface OpenedAttachment extends Attachment {
  /**
   * The bytes in order. Ends with `attachment.damaged` when they are not what was uploaded, and with `attachment.gone`
   * when the last message that carried it went away meanwhile: keep nothing of it before it has ended well.
   */
  readonly content: AsyncIterable<Buffer>;
}

/**
 * Opens an attachment through a message that carries it and that the caller received, may read or sent. Nothing is
 * delivered or settled by it.
 *
 * @throws {MailboxError} `mailbox.not_yours` for a message the caller may not see, `attachment.not_carried`,
 *   `attachment.gone`
 */
export async function readAttachment(
  context: MailContext,
  caller: Caller,
  messageId: string,
  attachmentId: string,
): Promise<OpenedAttachment> {
  await noteCall(context, caller);
  const { namespace, agent } = caller.principal;
  const { delivery } = await messageById(context, caller, messageId);
  const { message } = delivery;
  if (delivery.state === "recalled" && message.from !== agent)
    refuse("mailbox.not_yours", { message_id: "with that id" });
  if (!message.attachments?.some(({ id }) => id === attachmentId))
    refuse("attachment.not_carried", { message_id: message.id });
  const record = await attachmentRecord(context, namespace, attachmentId);
  if (!record?.ready) refuse("attachment.gone");
  const { id, name, contentType, bytes, sha256 } = record;
  async function* checked(): AsyncGenerator<Buffer> {
    const hash = createHash("sha256");
    for await (const part of attachmentParts(context, namespace, record!)) {
      hash.update(part);
      yield part;
    }
    if (hash.digest("hex") !== sha256) refuse("attachment.damaged");
  }
  return { id, name, contentType, bytes, sha256, content: checked() };
}
