import { shownResource } from "../locks/index.js";
import type { MessageLock } from "../mailbox/index.js";

/** Under which lock a message was sent: its sender held it, under this token, when it was stored. */
export function underLock({ lock }: { readonly lock?: MessageLock }): string {
  return lock ? `under lock ${shownResource(lock.resource)}, token ${lock.fencing_token}` : "";
}

/** The resource of that lock in whole where the envelope shows a part of it, as a line of the quote: others chose its name. */
export function wholeResource({ lock }: { readonly lock?: MessageLock }): string {
  return lock && shownResource(lock.resource) !== JSON.stringify(lock.resource)
    ? `resource: ${lock.resource}`
    : "";
}
