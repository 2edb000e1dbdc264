import { refuse } from "../errors/index.js";
import type { SendMessage } from "./contract.js";
import type { MailboxLimits } from "./limits.js";

/**
 * How many bytes a message takes of its mailbox.
 *
 * @throws {MailboxError} `mailbox.body_too_large`, `input.invalid` for data that is nested too deep
 */
export function measureContent(limits: MailboxLimits, input: SendMessage): number {
  const body = Buffer.byteLength(input.body);
  if (body > limits.bodyBytes)
    refuse("mailbox.body_too_large", { part: "body", bytes: body, limit: limits.bodyBytes });
  if (isDeeper(input.data, limits.dataLevels))
    refuse("input.invalid", { problem: `data is nested more than ${limits.dataLevels} levels deep` });
  const metadata = Buffer.byteLength(JSON.stringify([input.subject, input.data, input.content_type]));
  if (metadata > limits.metadataBytes)
    refuse("mailbox.body_too_large", {
      part: "data with subject",
      bytes: metadata,
      limit: limits.metadataBytes,
    });
  return body + metadata;
}

/** What is nested too deep would be accepted here and break the reader: JSON is written by recursion everywhere. */
function isDeeper(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== "object") return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}
