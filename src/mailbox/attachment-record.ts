import { refuse } from "../errors/index.js";
import { attachmentKeys } from "../redis/index.js";
import { isAttachmentId } from "./attachment-id.js";
import type { MailContext } from "./context.js";

/** A file that was handed in whole, as everybody who may see it sees it. */
export interface Attachment {
  readonly id: string;
  /** Without directories, characters nobody would see made visible. */
  readonly name: string;
  readonly contentType: string;
  readonly bytes: number;
  /** Hex, of what is kept. */
  readonly sha256: string;
}

export interface AttachmentRecord extends Attachment {
  readonly owner: string;
  readonly ready: boolean;
  /** Counts the changes of its parts while it is uploaded. */
  readonly revision: string;
  readonly parts: number;
}

/** Bytes of a part as we cut them: small beside a script's share of the store's time, and 64 of them make 16 MiB. */
export const partBytes = 256 * 1024;

export async function attachmentRecord(
  context: MailContext,
  namespace: string,
  id: string,
): Promise<AttachmentRecord | undefined> {
  if (!isAttachmentId(id)) return undefined;
  const keys = attachmentKeys(namespace, id);
  const { store } = context.deps;
  const [fields, parts] = await Promise.all([
    store.command("HMGET", keys.meta, "owner", "name", "type", "bytes", "sha256", "state", "revision"),
    store.command("HLEN", keys.parts),
  ]);
  const [owner, name, contentType, bytes, sha256, state, revision] = fields as (string | null)[];
  if (!owner) return undefined;
  return {
    id,
    owner,
    name: name!,
    contentType: contentType!,
    bytes: Number(bytes),
    sha256: sha256 ?? "",
    ready: state === "ready",
    revision: revision!,
    parts: Number(parts),
  };
}

/** The bytes, part by part. @throws {MailboxError} `attachment.gone` when a part is missing */
export async function* attachmentParts(
  context: MailContext,
  namespace: string,
  record: AttachmentRecord,
): AsyncGenerator<Buffer> {
  const keys = attachmentKeys(namespace, record.id);
  for (let number = 0; number < record.parts; number += 1) {
    const part = (await context.deps.store.command("HGET", keys.parts, number)) as string | null;
    if (part === null) refuse("attachment.gone");
    yield Buffer.from(part, "base64");
  }
}

/** An id as a refusal may repeat it: only what has the form of one. */
export function namedAttachment(id: string): string {
  return isAttachmentId(id) ? id : "with that id";
}

/** The keys every script of an attachment takes, in the order of lua/attachment.lua. */
export function attachmentSlot(namespace: string, id: string): readonly string[] {
  const keys = attachmentKeys(namespace, id);
  return [keys.meta, keys.parts, keys.references];
}
