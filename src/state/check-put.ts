import { refuse } from "../errors/index.js";
import type { PutState } from "./contract.js";

/** @throws {MailboxError} `input.invalid` for arguments that do not go together */
export function checkPut({
  value,
  delete: ends,
  expected_version,
  ttl_seconds,
  resource,
  fencing_token,
}: PutState): void {
  const problem =
    ends && (value !== undefined || ttl_seconds !== undefined)
      ? "with delete: true there is neither a value nor ttl_seconds"
      : ends && expected_version === 0
        ? "expected_version 0 means that there is nothing yet, so there is nothing to delete"
        : !ends && value === undefined
          ? "value is missing; pass delete: true to delete the entry, and the text null for the value null"
          : (resource === undefined) !== (fencing_token === undefined)
            ? "resource and fencing_token go together: both are told when a lock is granted"
            : undefined;
  if (problem) refuse("input.invalid", { problem });
}
