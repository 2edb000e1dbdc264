import type { UnreadMail } from "../mailbox/index.js";

/** What somebody was last reminded of: how much was unread, and until when. */
export interface Reminded {
  readonly unread: number;
  /** ms of the store's clock */
  readonly until: number;
}

/**
 * Whether there is unread mail of which the last reminder did not speak, and what to remember either way.
 *
 * There is when something unread was written since, or when more is unread than since then ever was: that is how late
 * mail and topics show. Mail that merely waits on is never told twice.
 */
export function remind(
  last: Reminded | undefined,
  found: Pick<UnreadMail, "unread" | "newestAt" | "lookedAt">,
): { readonly isNews: boolean; readonly reminded: Reminded } {
  const { unread, newestAt, lookedAt } = found;
  const isNews = unread > 0 && (!last || unread > last.unread || newestAt > last.until);
  return {
    isNews,
    reminded: {
      unread: isNews ? unread : Math.min(unread, last?.unread ?? 0),
      // The sender's idea of the store's clock may be a little ahead of ours.
      until: isNews || !last ? Math.max(lookedAt, newestAt) : last.until,
    },
  };
}
