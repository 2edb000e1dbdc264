/** Approvals: what agents ask people about, who may decide, and what was decided. */
export { askedOfClient } from "./asked-of-client.js";
export { type Attended, attendApprovals } from "./attend-approvals.js";
export { type AwaitOptions, awaitApproval } from "./await-approval.js";
export { type Claim, type ClaimedApproval, claimApproval } from "./claim-approval.js";
export { ApprovalContext, type ApprovalDependencies, type Notice } from "./context.js";
export {
  type Approval,
  type ApprovalHead,
  type ApprovalRequest,
  DecideApproval,
  type Decided,
  type Decision,
  type OpenedApproval,
  type ShownVote,
  type Terms,
} from "./contract.js";
export { decideApproval } from "./decide-approval.js";
export { decideByClient } from "./decide-by-client.js";
export { decideByLink, type LinkedApproval, linkedApproval, seeLink } from "./decide-by-link.js";
export { decideByMail, type MailedAnswer } from "./decide-by-mail.js";
export { formText } from "./form-text.js";
export { getApproval } from "./get-approval.js";
export { keepApprovals } from "./keep-approvals.js";
export { type ApprovalLimits, defaultApprovalLimits } from "./limits.js";
export { type ApprovalLink, linkApproval } from "./link-approval.js";
export { countWaiting, listApprovals } from "./list-approvals.js";
export { loseLinksOf } from "./lose-links.js";
export { approvalLines, approvalWarnings, doesNotCount, jsonText, voteLines } from "./notice-text.js";
export { onlyApprover } from "./only-approver.js";
export { openApproval } from "./open-approval.js";
export { type PageOfRequest, requestText } from "./page-of-request.js";
export { type Question, questionDigest } from "./question.js";
export { type ApprovalState, states as approvalStates } from "./stored-request.js";
export { decisions as verdicts, type Verdict, type Voter, type Way, ways } from "./vote.js";
