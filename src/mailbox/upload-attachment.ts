import { createHash } from "node:crypto";
import { visible } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import { type Caller, rowOf } from "../identity/index.js";
import { loadScript, mailboxKeys } from "../redis/index.js";
import { newAttachmentId } from "./attachment-id.js";
import {
  type Attachment,
  type AttachmentRecord,
  attachmentParts,
  attachmentRecord,
  attachmentSlot,
  namedAttachment,
  partBytes,
} from "./attachment-record.js";
import { type MailContext, ownMailbox } from "./context.js";
import { noteCall } from "./note-call.js";

const beginScript = loadScript(import.meta.url, "begin-attachment.lua");
const putScript = loadScript(import.meta.url, "put-attachment-part.lua");
const finishScript = loadScript(import.meta.url, "finish-attachment.lua");
const noteScript = loadScript(import.meta.url, "note-upload.lua");
const releaseScript = loadScript(import.meta.url, "release-attachment.lua");

const nameChars = 200;

export interface Upload {
  /** Only its last segment is kept. */
  readonly name: string;
  /** Default `application/octet-stream`. */
  readonly contentType?: string;
  /** Hex; what arrives must have it. */
  readonly sha256?: string;
  /** If known: it counts in the uploader's allowance from the start, instead of the most that is allowed. */
  readonly bytes?: number;
  readonly content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * Takes a file in whole: cuts it into parts, stores them, reads them back and compares SHA-256. Until a message carries
 * it, it belongs to the caller alone and goes away by itself after 24 h. A failed upload leaves nothing.
 *
 * @throws {MailboxError} `attachment.too_large`, `attachment.allowance_spent`, `attachment.checksum`, `input.invalid`,
 *   `store.*`
 */
export async function uploadAttachment(
  context: MailContext,
  caller: Caller,
  upload: Upload,
  origin: "upload" | "folder" = "upload",
): Promise<Attachment> {
  const { id } = await beginAttachment(context, caller, upload, origin);
  try {
    const hash = createHash("sha256");
    let bytes = 0;
    let parts = 0;
    for await (const part of inParts(upload.content)) {
      bytes += part.length;
      if (bytes > context.limits.attachmentBytes) tooLarge(context);
      hash.update(part);
      await putAttachmentPart(context, caller, id, parts, part);
      parts += 1;
    }
    const sha256 = hash.digest("hex");
    if (upload.sha256 !== undefined && upload.sha256.toLowerCase() !== sha256) refuse("attachment.checksum");
    return await finishAttachment(context, caller, id, { parts, bytes, sha256 });
  } catch (error) {
    await abandonAttachment(context, caller, id);
    throw error;
  }
}

/**
 * Begins an upload that comes in several calls: parts numbered from 0, of at most `partBytes`, in any order.
 *
 * @throws {MailboxError} `attachment.too_large`, `attachment.allowance_spent`, `input.invalid`
 */
export async function beginAttachment(
  context: MailContext,
  caller: Caller,
  about: Pick<Upload, "name" | "contentType" | "bytes">,
  origin: "upload" | "folder" = "upload",
): Promise<{ readonly id: string; readonly partBytes: number }> {
  await noteCall(context, caller);
  const contentType = about.contentType ?? "application/octet-stream";
  if (contentType.length > 100 || !/^[\w.+-]+\/[\w.+-]+(?:; ?[\w.+-]+=[\w.+-]+)*$/.test(contentType))
    refuse("input.invalid", { problem: "content_type is no media type such as text/csv" });
  const { store } = context.deps;
  const { attachmentBytes } = context.limits;
  if (about.bytes !== undefined && about.bytes > attachmentBytes) tooLarge(context);
  const id = newAttachmentId(store.now());
  const { namespace, agent } = caller.principal;
  await noteUpload(context, caller, id, about.bytes ?? attachmentBytes, "claim");
  const decision = {
    action: "mailbox.attach",
    resource: id,
    outcome: "allow",
    because: "own upload",
  } as const;
  await context.deps.record(caller, { row: rowOf(caller, decision) });
  await store.run(beginScript, attachmentSlot(namespace, id), [
    agent,
    shownName(about.name),
    contentType,
    origin,
    context.limits.unsentAttachmentMs,
  ]);
  return { id, partBytes };
}

/**
 * Stores one part. Putting the same part again changes nothing; other bytes under its number replace it until the
 * attachment is finished.
 *
 * @throws {MailboxError} `attachment.unknown`, `attachment.finished`, `attachment.too_large`
 */
export async function putAttachmentPart(
  context: MailContext,
  caller: Caller,
  id: string,
  number: number,
  bytes: Uint8Array,
): Promise<{ readonly bytes: number }> {
  const { limits, deps } = context;
  const most = Math.ceil(limits.attachmentBytes / partBytes) * 4;
  if (bytes.length === 0 || bytes.length > partBytes || !Number.isInteger(number) || number < 0)
    refuse("input.invalid", { problem: `a part has a number from 0 and 1 to ${partBytes} bytes` });
  if (number >= most) tooLarge(context);
  const { namespace, agent } = caller.principal;
  const [word, total] = await deps.store.run(putScript, attachmentSlot(namespace, known(id)), [
    agent,
    number,
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64"),
    limits.attachmentBytes,
    limits.unsentAttachmentMs,
  ]);
  if (word === "UNKNOWN") unknown(id);
  if (word === "FINISHED") refuse("attachment.finished", { id });
  if (word === "TOO_LARGE") tooLarge(context);
  return { bytes: Number(total) };
}

/**
 * Ends an upload: the parts are read back and hashed, and only what has the announced count, size and SHA-256 can be
 * sent. Safe to repeat.
 *
 * @throws {MailboxError} `attachment.unknown`, `attachment.incomplete`, `attachment.checksum`
 */
export async function finishAttachment(
  context: MailContext,
  caller: Caller,
  id: string,
  announced: { readonly parts: number; readonly bytes: number; readonly sha256: string },
): Promise<Attachment> {
  const { namespace, agent } = caller.principal;
  const record = await attachmentRecord(context, namespace, id);
  if (record?.owner !== agent) unknown(id);
  if (record.parts !== announced.parts || record.bytes !== announced.bytes) incomplete(record);
  const hash = createHash("sha256");
  try {
    for await (const part of attachmentParts(context, namespace, record)) hash.update(part);
  } catch (error) {
    if ((error as { code?: string }).code === "attachment.gone") incomplete(record);
    throw error;
  }
  const sha256 = hash.digest("hex");
  if (sha256 !== announced.sha256.toLowerCase()) refuse("attachment.checksum");
  const [word] = await context.deps.store.run(finishScript, attachmentSlot(namespace, id), [
    agent,
    announced.parts,
    announced.bytes,
    sha256,
    record.revision,
  ]);
  if (word === "UNKNOWN") unknown(id);
  if (word !== "READY") incomplete(record);
  const { name, contentType, bytes } = record;
  await noteUpload(context, caller, id, bytes, "correct");
  return { id, name, contentType, bytes, sha256 };
}

/** Gives up an upload that was not finished. What cannot be removed now goes away by itself. */
export async function abandonAttachment(context: MailContext, caller: Caller, id: string): Promise<void> {
  const { namespace, agent } = caller.principal;
  await context.deps.store
    .run(releaseScript, attachmentSlot(namespace, known(id)), [agent, "abandoned", 0])
    .then(([word]) => (word === "REMOVED" ? noteUpload(context, caller, id, 0, "correct") : undefined))
    .catch((error: Error) => context.deps.log("an upload stays until it expires", { error: error.message }));
}

/** Counts an upload in what its agent may upload within a day; an upload that came to nothing counts no more. */
async function noteUpload(
  context: MailContext,
  caller: Caller,
  id: string,
  bytes: number,
  how: "claim" | "correct",
): Promise<void> {
  const { limits, deps } = context;
  const limit = limits.uploadBytes;
  const { uploads } = mailboxKeys(caller.principal.namespace, ownMailbox(caller));
  const [word, spent, freeInMs] = await deps.store.run(
    noteScript,
    [uploads],
    [id, bytes, how, limit, limits.unsentAttachmentMs],
  );
  if (word === "SPENT")
    refuse("attachment.allowance_spent", {
      bytes: Number(spent),
      limit,
      hours: Math.max(1, Math.ceil(Number(freeInMs) / 3_600_000)),
    });
}

async function* inParts(content: Upload["content"]): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    held.push(Buffer.from(chunk));
    bytes += chunk.length;
    if (bytes < partBytes) continue;
    const all = Buffer.concat(held);
    let from = 0;
    for (; all.length - from >= partBytes; from += partBytes) yield all.subarray(from, from + partBytes);
    held = [all.subarray(from)];
    bytes = all.length - from;
  }
  if (bytes > 0) yield Buffer.concat(held);
}

function shownName(given: string): string {
  const last = given.split(/[\\/]/).at(-1)!;
  return [...visible(last)].slice(0, nameChars).join("").trim() || "file";
}

function known(id: string): string {
  return namedAttachment(id) === id ? id : unknown(id);
}

function unknown(id: string): never {
  refuse("attachment.unknown", { id: namedAttachment(id) });
}

function incomplete(record: AttachmentRecord): never {
  refuse("attachment.incomplete", { id: record.id, parts: record.parts, bytes: record.bytes });
}

function tooLarge(context: MailContext): never {
  refuse("attachment.too_large", { limit: context.limits.attachmentBytes });
}
