import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { attachmentRecord, namedAttachment } from "./attachment-record.js";
import type { MailContext } from "./context.js";
import type { StoredMessage } from "./feed.js";
import { openSharedFile } from "./shared-folder.js";
import { uploadAttachment } from "./upload-attachment.js";

/** How a message names what it carries. */
export type Carried = NonNullable<StoredMessage["attachments"]>[number];

const folderPrefix = "file:";
/**
 * Finds what a send wants to attach: ready uploads of the caller by id, or `file:name` in the folder the operator
 * shares, which is taken in here. An id of another agent is refused like one that does not exist.
 *
 * @throws {MailboxError} `attachment.unknown`, `attachment.not_ready`, `attachment.too_many`, `attachment.outside`,
 *   `attachment.no_folder`, `attachment.too_large`
 */
export async function findAttachments(
  context: MailContext,
  caller: Caller,
  given: readonly string[] = [],
): Promise<readonly Carried[]> {
  const wanted = [...new Set(given)];
  const limit = context.limits.attachments;
  if (wanted.length > limit) refuse("attachment.too_many", { count: wanted.length, limit });
  const carried: Carried[] = [];
  // What exists already is looked at first: a refusal of an id must not cost the upload of a file.
  for (const id of wanted)
    if (!id.startsWith(folderPrefix)) carried.push(await ownAttachment(context, caller, id));
  for (const id of wanted)
    if (id.startsWith(folderPrefix))
      carried.push(await attachFromFolder(context, caller, id.slice(folderPrefix.length)));
  return carried;
}

async function ownAttachment(context: MailContext, caller: Caller, id: string): Promise<Carried> {
  const record = await attachmentRecord(context, caller.principal.namespace, id);
  if (record?.owner !== caller.principal.agent) refuse("attachment.unknown", { id: namedAttachment(id) });
  if (!record.ready) refuse("attachment.not_ready", { id });
  return { id, name: record.name, bytes: record.bytes };
}

/** Takes a file in from the folder the operator shares; its name is relative to that folder. */
export async function attachFromFolder(
  context: MailContext,
  caller: Caller,
  relative: string,
): Promise<Carried> {
  const { file, name, bytes } = await openSharedFile(context.deps.filesDir, relative);
  try {
    const limit = context.limits.attachmentBytes;
    if (bytes > limit) refuse("attachment.too_large", { limit });
    const content = file.createReadStream({ autoClose: false });
    const attachment = await uploadAttachment(context, caller, { name, bytes, content }, "folder");
    return { id: attachment.id, name: attachment.name, bytes: attachment.bytes };
  } finally {
    await file.close();
  }
}
