import type { AnyTool } from "./define-tool.js";
import { ackMessages } from "./tools/ack-messages.js";
import { acquireLock } from "./tools/acquire-lock.js";
import { checkPolicy } from "./tools/check-policy.js";
import { decideApproval } from "./tools/decide-approval.js";
import { findRecipients } from "./tools/find-recipients.js";
import { getState } from "./tools/get-state.js";
import { listLocks } from "./tools/list-locks.js";
import { manageDeadLetters } from "./tools/manage-dead-letters.js";
import { myStatus } from "./tools/my-status.js";
import { putState } from "./tools/put-state.js";
import { readInbox } from "./tools/read-inbox.js";
import { releaseLock } from "./tools/release-lock.js";
import { searchMessages } from "./tools/search-messages.js";
import { sendMessage } from "./tools/send-message.js";
import { settleReservation } from "./tools/settle-reservation.js";
import { subscribeTopic } from "./tools/subscribe-topic.js";

/** The tools in the order in which clients list them: what is used most comes first, and what few may use last. */
export const toolbox: readonly AnyTool[] = [
  sendMessage,
  readInbox,
  ackMessages,
  searchMessages,
  subscribeTopic,
  findRecipients,
  myStatus,
  acquireLock,
  releaseLock,
  listLocks,
  getState,
  putState,
  checkPolicy,
  settleReservation,
  decideApproval,
  manageDeadLetters,
];
