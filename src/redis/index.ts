/** The store: connections, key names, scripts and wake-ups; the only room that knows the Redis driver. */
export type { Endpoint } from "./connection.js";
export { digest, digestOfText } from "./digest.js";
export { FreshCopy } from "./fresh-copy.js";
export { Hints } from "./hints.js";
export { KeyLists } from "./key-lists.js";
export {
  type AttachmentKeys,
  type AuditKeys,
  approvalKeyList,
  approvalKeys,
  attachmentKeys,
  auditKeys,
  conversationKey,
  type DirectoryKeys,
  directoryKeys,
  type LockKeys,
  lockKeyList,
  lockKeys,
  type MailboxKeys,
  type MailboxName,
  mailboxKeyList,
  mailboxKeys,
  policyKeyList,
  policyKeys,
  rowsPerChunk,
  type StateGroupKeys,
  stateGroupKeyList,
  stateGroupKeys,
  type TopicRootKeys,
  topicRootKeyList,
  topicRootKeys,
} from "./keys.js";
export { LastTime } from "./last-time.js";
export { RepeatedLook } from "./repeated-look.js";
export { loadScript, type Script } from "./script.js";
export { type Reply, type ReplyValue, Store, type StoreOptions, type Tier } from "./store.js";
export { Wake } from "./wake.js";
