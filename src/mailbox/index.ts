/** Durable mailboxes and queues: what is sent, delivered, settled, given back and given up. */
export { ackMessages } from "./ack-messages.js";
export { sendAsAsked } from "./asked-to-send.js";
export type { Attachment } from "./attachment-record.js";
export { blockSender, listBlocked, unblockSender } from "./block-sender.js";
export { confirmBatch } from "./confirm-batch.js";
export { MailContext, type MailDependencies } from "./context.js";
export {
  AckMessages,
  type AckResult,
  type DeadLetters,
  type DeliveredMessage,
  type DeliveryState,
  type FoundMessage,
  type Inbox,
  ManageDeadLetters,
  type MessageLock,
  Priority,
  ReadInbox,
  type RecipientReceipt,
  SearchMessages,
  type SearchResult,
  SendMessage,
  type SendReceipt,
} from "./contract.js";
export { type DeadLetter, listDeadLetters, purgeDeadLetters, requeueDeadLetters } from "./dead-letters.js";
export type { Delivery, FeedFilter, Head, StoredMessage, TopicFeed } from "./feed.js";
export { attachFromFolder } from "./find-attachments.js";
export { findDeadLetters } from "./find-dead-letters.js";
export { awaitedSender } from "./inbox-filter.js";
export { countInbox, newsOf } from "./inbox-news.js";
export { inspectMailbox, type MailboxCounts } from "./inspect-mailbox.js";
export { MailboxKeeper } from "./keep-mailboxes.js";
export { defaultMailboxLimits, type MailboxLimits } from "./limits.js";
export { countReady } from "./look-at-mailbox.js";
export { manageDeadLetters } from "./manage-dead-letters.js";
export { noteCall } from "./note-call.js";
export type { Operation } from "./operation.js";
export { flushSoon, sweepOutboxes } from "./outbox.js";
export { queueConsumers } from "./queue-consumers.js";
export { type OpenedAttachment, readAttachment } from "./read-attachment.js";
export { readInbox } from "./read-inbox.js";
export type { ReadOptions } from "./read-options.js";
export { recallMessage } from "./recall-message.js";
export { recentMessages } from "./recent-messages.js";
export { releaseAgent } from "./release-agent.js";
export { releaseRun } from "./release-run.js";
export { messageById, overdueMail, searchMessages, summary, thread } from "./search-messages.js";
export { sendMessage } from "./send-message.js";
export { settleAnswered } from "./settle-deliveries.js";
export { envelope, shown } from "./show-delivery.js";
export { type Notice, tell } from "./tell.js";
export { type UnreadMail, unreadMail } from "./unread-mail.js";
export {
  abandonAttachment,
  beginAttachment,
  finishAttachment,
  putAttachmentPart,
  type Upload,
  uploadAttachment,
} from "./upload-attachment.js";
export { waitingOutboxes } from "./waiting-outboxes.js";
export { watchMailbox } from "./watch-mailbox.js";
