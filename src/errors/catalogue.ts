import type { ErrorKind } from "./kinds.js";

interface CatalogueEntry {
  readonly kind: ErrorKind;
  /** One or two sentences: what was refused, and what to do instead. `{fact}` is filled in. */
  readonly text: string;
}

const entries = {
  "input.invalid": { kind: "INVALID_ARGUMENT", text: "{problem}. Correct it and call again." },
  "policy.invalid": {
    kind: "INVALID_ARGUMENT",
    text: "the rule set was not taken: line {line}: {problem}. Correct it; the rules before it stay in force.",
  },
  "config.invalid": { kind: "INVALID_ARGUMENT", text: "{setting} {problem}. Allowed: {allowed}." },
  "address.invalid": {
    kind: "INVALID_ARGUMENT",
    text: "{given} is not an address: {problem}. Use an agent name such as alice, queue:reviewers, topic:builds.ci or everyone.",
  },
  "address.pattern_invalid": {
    kind: "INVALID_ARGUMENT",
    text: "{given} is not a topic pattern: {problem}. Use levels separated by dots, * for one level and ** for any depth, such as builds.* or builds.**.",
  },
  "mailbox.unknown_recipient": {
    kind: "NOT_FOUND",
    text: "nobody is called {given}; did you mean {nearest}? Send to that name, or pass create: true to open a mailbox for {given}.",
  },
  "mailbox.closed_directory": {
    kind: "NOT_FOUND",
    text: "nobody is called {given}, and this namespace does not open mailboxes for unknown names. Call find_recipients to see who is there.",
  },
  "mailbox.too_many_unclaimed": {
    kind: "RESOURCE_EXHAUSTED",
    text: "you opened {limit} mailboxes that nobody has claimed yet. Call find_recipients and write to somebody who is there.",
  },
  "mailbox.full": {
    kind: "RESOURCE_EXHAUSTED",
    text: "{address} is full ({count} unsettled messages, {bytes} bytes). Nothing was stored; try again when its owner has read, or write to another recipient.",
  },
  "mailbox.sender_full": {
    kind: "RESOURCE_EXHAUSTED",
    text: "{count} of your messages wait unsettled in {address}, which is the most one sender may have there. Nothing was stored; wait for an answer before you send more.",
  },
  "mailbox.body_too_large": {
    kind: "INVALID_ARGUMENT",
    text: "the {part} has {bytes} bytes; at most {limit} are allowed. Send a summary, or attach the content as a file.",
  },
  "mailbox.too_many_recipients": {
    kind: "INVALID_ARGUMENT",
    text: "{count} recipients are more than the {limit} allowed. Publish to a topic they follow instead.",
  },
  "mailbox.idempotency_conflict": {
    kind: "ALREADY_EXISTS",
    text: "this idempotency_key was already used for a different call. Use a new key for new content; the first call stands.",
  },
  "mailbox.conversation_exhausted": {
    kind: "RESOURCE_EXHAUSTED",
    text: "this conversation has reached its limit of {limit} messages from one origin. Stop replying here; report to a person, or start a new piece of work without in_reply_to after they agree.",
  },
  "mailbox.rate_limited": {
    kind: "RESOURCE_EXHAUSTED",
    text: "more than {limit} {what} in a minute. Wait {seconds} s and go on.",
  },
  "mailbox.unknown_queue": {
    kind: "NOT_FOUND",
    text: "no queue is called {given}; did you mean {nearest}? A slip opens no queue. Read from that name, or have somebody send the first job to {given} with create: true.",
  },
  "mailbox.not_recallable": {
    kind: "FAILED_PRECONDITION",
    text: "{message_id} cannot be recalled: it was already delivered or is gone. Send a correction instead.",
  },
  "mailbox.text_gone": {
    kind: "NOT_FOUND",
    text: "you sent {message_id}, but its text is kept no more: it was a dead letter, and purged or trimmed. Use search_messages with sent: true to see what became of it.",
  },
  "mailbox.not_yours": {
    kind: "NOT_FOUND",
    text: "no message {message_id} that you may see. Ids come from read_inbox and search_messages.",
  },
  "mailbox.blocked": {
    kind: "PERMISSION_DENIED",
    text: "{address} does not accept your messages. Ask its owner or the operator.",
  },
  "attachment.unknown": {
    kind: "NOT_FOUND",
    text: "you have no attachment {id}. What no message carries is kept for 24 h. Upload the file again (llm-mailbox attach FILE) and pass the id it answers.",
  },
  "attachment.not_ready": {
    kind: "FAILED_PRECONDITION",
    text: "the upload of {id} is not finished. Finish it, then send again.",
  },
  "attachment.finished": {
    kind: "FAILED_PRECONDITION",
    text: "{id} is complete and does not change any more. Upload other content as an attachment of its own.",
  },
  "attachment.incomplete": {
    kind: "FAILED_PRECONDITION",
    text: "{id} has {parts} parts and {bytes} bytes, which is not what was announced. Upload what is missing and finish it again.",
  },
  "attachment.checksum": {
    kind: "INVALID_ARGUMENT",
    text: "what arrived does not have the announced SHA-256. Upload the file again.",
  },
  "attachment.too_large": {
    kind: "INVALID_ARGUMENT",
    text: "an attachment has at most {limit} bytes. Nothing was kept; send less, or tell the reader where to find it.",
  },
  "attachment.allowance_spent": {
    kind: "RESOURCE_EXHAUSTED",
    text: "you uploaded {bytes} bytes within a day, and {limit} are allowed. Send less, or try again in {hours} h.",
  },
  "attachment.too_many": {
    kind: "INVALID_ARGUMENT",
    text: "{count} attachments are more than the {limit} a message may carry. Send the others with another message.",
  },
  "attachment.outside": {
    kind: "NOT_FOUND",
    text: "no such file in the folder the operator shares. Pass a name inside it, relative to it and without .., such as file:report.pdf.",
  },
  "attachment.no_folder": {
    kind: "FAILED_PRECONDITION",
    text: "the operator shares no folder to attach from (LLM_MAILBOX_FILES_DIR). Upload the file (llm-mailbox attach FILE) and pass the id it answers.",
  },
  "attachment.not_carried": {
    kind: "NOT_FOUND",
    text: "{message_id} carries no such attachment. The message names those it carries; pass one of their ids.",
  },
  "attachment.gone": {
    kind: "NOT_FOUND",
    text: "this attachment is no longer kept. Ask the sender to send it again.",
  },
  "attachment.damaged": {
    kind: "INTERNAL",
    text: "the stored bytes are not those that were uploaded. Keep nothing of them; ask the sender to send the file again, and tell the operator.",
  },
  "delivery.superseded": {
    kind: "ABORTED",
    text: "{message_id} has meanwhile been given to another consumer. Drop your work on it, or tell them what you have done.",
  },
  "delivery.not_open": {
    kind: "FAILED_PRECONDITION",
    text: "{message_id} is not open at you. It was settled, recalled or never delivered to you; nothing to do.",
  },
  "topic.unknown": {
    kind: "NOT_FOUND",
    text: "no topic {topic} that you may read. Call find_recipients to see topics; publishing creates one.",
  },
  "topic.too_many_levels": {
    kind: "INVALID_ARGUMENT",
    text: "{topic} has more than {limit} levels. Use a shorter name.",
  },
  "topic.subscribers_full": {
    kind: "RESOURCE_EXHAUSTED",
    text: "{topic} has its {limit} subscribers. Ask the operator to raise the limit.",
  },
  "topic.has_subscribers": {
    kind: "FAILED_PRECONDITION",
    text: "{topic} has {count} subscribers. Pass --force to delete it all the same; they keep what they have received.",
  },
  "topic.position_unknown": {
    kind: "INVALID_ARGUMENT",
    text: "start_at {given} is neither now, earliest nor a message id of this topic. Pass one of these.",
  },
  "lock.resource_invalid": {
    kind: "INVALID_ARGUMENT",
    text: "resource {number} cannot be locked: {problem}. Use {instead}.",
  },
  "lock.deadlock": {
    kind: "ABORTED",
    text: "this wait would never end: {circle}. Nothing was queued; release what the others wait for, then ask for all you need at once.",
  },
  "lock.too_many_waiters": {
    kind: "RESOURCE_EXHAUSTED",
    text: "{limit} requests wait for resource {number} already. Nothing was queued; try again later, or agree with the holder by mail.",
  },
  "lock.too_wide": {
    kind: "RESOURCE_EXHAUSTED",
    text: "what you name would have to be compared with too much that others named. Nothing was done; ask for fewer resources, or begin patterns with a folder: src/**/x rather than **/x.",
  },
  "lock.full": {
    kind: "RESOURCE_EXHAUSTED",
    text: "{who} has {limit} leases and places in queues, which is the most there may be. Call release_lock for what is not needed any more.",
  },
  "lock.not_yours": {
    kind: "NOT_FOUND",
    text: "no lease {lock_id} of yours: it was released, it ran out, it was taken by force, or it is somebody else's. What it protected may have changed; call acquire_lock with the resources again, under another idempotency_key if you gave one.",
  },
  "lock.run_over": {
    kind: "ABORTED",
    text: "your session ended while this call was under way, so nothing was locked or renewed by it; what the session held was given back with it. Call again in your new session.",
  },
  "lock.lost_since": {
    kind: "FAILED_PRECONDITION",
    text: "your lock on it was lost at {lost_at}, and {by} got it at {since}. Look at what changed since, call acquire_lock for it again, or for a pattern around it, and repeat this.",
  },
  "lock.token_refused": {
    kind: "FAILED_PRECONDITION",
    text: "fencing token {token} is not good for it: {because}. Look at what changed since, call acquire_lock for it again, and pass the token that it answers.",
  },
  "lock.idempotency_conflict": {
    kind: "ALREADY_EXISTS",
    text: "this idempotency_key was already used for a different call about locks. Use a new idempotency_key for a new one; the first stands.",
  },
  "lock.ticket_unknown": {
    kind: "NOT_FOUND",
    text: "no ticket {ticket} of yours: {because}. Call acquire_lock with {instead}.",
  },
  "auth.required": {
    kind: "UNAUTHENTICATED",
    text: "a name alone is not believed: {because}. Ask the operator for a token (llm-mailbox agents issue NAME) and pass it in LLM_MAILBOX_TOKEN, or over HTTP as Authorization: Bearer.",
  },
  "auth.invalid": {
    kind: "UNAUTHENTICATED",
    text: "the credential is unknown, expired, revoked or not meant for this server. Ask the operator for a new one (llm-mailbox agents issue NAME).",
  },
  "auth.unavailable": {
    kind: "UNAVAILABLE",
    text: "the keys that this credential is checked by cannot be read at present; nothing was done. Try again in a few seconds, and tell the operator if it stays so.",
  },
  "auth.token_unknown": {
    kind: "NOT_FOUND",
    text: "no token {id} that still holds. Call llm-mailbox agents tokens: it lists them by their ids.",
  },
  "access.denied": {
    kind: "PERMISSION_DENIED",
    text: "{principal} may not {action} {resource}. Ask the operator for a grant.",
  },
  "access.stopped": {
    kind: "PERMISSION_DENIED",
    text: "{agent} was stopped by the operator: nothing it asks for is done, and its locks were given up. Stop working and tell the person you work for; only the operator lets it go on (llm-mailbox agents resume {agent}).",
  },
  "access.unknown_grant": {
    kind: "NOT_FOUND",
    text: "there is no grant {id}. Call llm-mailbox grants to see those that hold.",
  },
  "access.too_many_grants": {
    kind: "RESOURCE_EXHAUSTED",
    text: "a namespace has at most {limit} grants. Remove some, or grant to a role or a pattern instead of one by one.",
  },
  "state.cursor_invalid": {
    kind: "INVALID_ARGUMENT",
    text: "this cursor is not one we gave for this search. Start again without a cursor.",
  },
  "state.key_invalid": {
    kind: "INVALID_ARGUMENT",
    text: "this is not a key of shared state: {problem}. Use names separated by slashes, such as plan/owner or customer:123/address.",
  },
  "state.value_invalid": {
    kind: "INVALID_ARGUMENT",
    text: "the value {problem}. Nothing was written; use several keys, or attach what is large to a message and keep its id here.",
  },
  "state.group_full": {
    kind: "RESOURCE_EXHAUSTED",
    text: "{group} has {count} entries, which is the most below one first name. Nothing was written; delete entries there, or use another first name.",
  },
  "state.full": {
    kind: "RESOURCE_EXHAUSTED",
    text: "the shared state of this namespace has its {limit} bytes. Nothing was written; delete entries, or ask the operator for more room.",
  },
  "state.idempotency_conflict": {
    kind: "ALREADY_EXISTS",
    text: "this idempotency_key was already used for a different write to this key. Use a new idempotency_key for new content; the first write stands.",
  },
  "approval.unknown": {
    kind: "NOT_FOUND",
    text: "there is no approval {approval_id} that you may see. Ids come from the refusal or decision that asked for it, and from the mail to its approvers.",
  },
  "approval.own": {
    kind: "PERMISSION_DENIED",
    text: "you asked for {approval_id} yourself, so somebody else decides it. Wait for them.",
  },
  "approval.ended": {
    kind: "FAILED_PRECONDITION",
    text: "{approval_id} is {state} and waits for no decision any more. Nothing was changed; ask whoever needs it to ask again.",
  },
  "approval.edit_asked": {
    kind: "FAILED_PRECONDITION",
    text: "what you make of {approval_id} is asked about by {other} already. Nothing was changed. Use approve or reject for this one, and decide {other} by itself.",
  },
  "approval.edit_elsewhere": {
    kind: "INVALID_ARGUMENT",
    text: "{argument} of {approval_id} says what the call is about, so an edit leaves it as it was asked, and adds none that says so: the rules were asked about no other. Nothing was changed. Use {argument} as it was asked and leave out what was not, or reject it and say what to ask for.",
  },
  "approval.in_use": {
    kind: "ABORTED",
    text: "another call of yours is using {approval_id} at this moment. This one did nothing. Wait for the answer of that one; if it did nothing either, repeat this call.",
  },
  "approval.asker_stopped": {
    kind: "FAILED_PRECONDITION",
    text: "{agent}, who asked for {approval_id}, was stopped since, so nothing was approved. Use reject, or wait until the operator lets {agent} go on (llm-mailbox agents resume {agent}).",
  },
  "approval.not_shown": {
    kind: "FAILED_PRECONDITION",
    text: "{approval_id} is longer than one reply or mail shows, and nobody approves what they were not shown. Nothing was decided; reject or answer work all the same. Read the rest: call decide_approval with approval_id {approval_id} and offset {offset} until nothing is cut, then decide. Or use llm-mailbox approvals show {approval_id}, which shows it whole.",
  },
  "approval.too_many": {
    kind: "RESOURCE_EXHAUSTED",
    text: "{count} approvals {whose} wait for a decision, and no more may. Wait until some are decided or expire, or do what needs none.",
  },
  "approval.too_large": {
    kind: "INVALID_ARGUMENT",
    text: "this is too large to be asked about: the {part} has {bytes} bytes, and a person is shown at most {limit}. Do it in smaller steps, or send the rest to them as a message or a file, and name it with its SHA-256 here.",
  },
  "approval.contended": {
    kind: "ABORTED",
    text: "too many voted on {approval_id} at once. Your vote was not counted; call again.",
  },
  "approval.link_void": {
    kind: "FAILED_PRECONDITION",
    text: "this link decides nothing: {because}. Where something is left to decide, ask the operator for a new one.",
  },
  "approval.no_link_for": {
    kind: "INVALID_ARGUMENT",
    text: "{agent} may not decide {approval_id}: {because}. Choose one of its approvers.",
  },
  "approval.client_not_counted": {
    kind: "FAILED_PRECONDITION",
    text: "the word of a client's user does not decide {approval_id}; its approvers do. Wait for them.",
  },
  "lock.stale_token": {
    kind: "FAILED_PRECONDITION",
    text: "the fencing_token does not hold this resource: it is another agent's, its lease never covered it or is over, or a newer token has been seen. Nothing was {done}; read what is there now, release_lock what you still hold of the resource, and acquire it anew: only a newer token passes.",
  },
  "policy.superseded": {
    kind: "ABORTED",
    text: "version {current} of the rules, put by {by}, is in force, and these were made from version {over}. Nothing was put. Call llm-mailbox policy diff {over} {current}, bring in what it shows, and put them again with --over {current}.",
  },
  "policy.unknown_version": {
    kind: "NOT_FOUND",
    text: "there is no version {version} of the rules. Call llm-mailbox policy history: it lists those that are kept.",
  },
  "policy.denied": {
    kind: "PERMISSION_DENIED",
    text: "{reason} ({rules}){about}. {guidance}. Ask the operator if the rule is wrong.",
  },
  "policy.approval_required": {
    kind: "FAILED_PRECONDITION",
    text: "{reason} ({rules}), so a person has to agree first{before}. Call check_policy with approval_id {id} and wait_seconds up to 50; once it is approved, repeat this call unchanged, or with the arguments that it shows{others}.",
  },
  "policy.idempotency_conflict": {
    kind: "ALREADY_EXISTS",
    text: "this idempotency_key was already used for a different call. Use a new key for a new step; the first answer stands.",
  },
  "budget.unknown_reservation": {
    kind: "NOT_FOUND",
    text: "no reservation {reservation_id} of yours. Pass the reservation_id that check_policy answered; what ended a week ago is not known any more.",
  },
  "budget.already_settled": {
    kind: "FAILED_PRECONDITION",
    text: "{reservation_id} was settled with {cost} already, and that stands. Call check_policy to reserve what is still to come.",
  },
  "budget.sum_too_large": {
    kind: "RESOURCE_EXHAUSTED",
    text: "with this the costs of {agent}, or of a limit that it takes from, would be more than {most}, beyond which sums are not exact; nothing was done. Correct the cost if it was meant in another unit; else call the operator.",
  },
  "budget.report_invalid": {
    kind: "INVALID_ARGUMENT",
    text: "line {line} of the report cannot be used: {problem}. Nothing was imported. Correct the line and import the file again.",
  },
  "store.unavailable": {
    kind: "UNAVAILABLE",
    text: "the store cannot be reached; nothing was done. Try again in a few seconds.",
  },
  "store.outcome_unknown": {
    kind: "UNKNOWN",
    text: "the connection to the store broke before it answered, so the call may or may not have been done. Repeat it with the same idempotency_key: it will not be done twice.",
  },
  "store.full": {
    kind: "RESOURCE_EXHAUSTED",
    text: "the store has no room for new data. Nothing was stored; read and acknowledge mail, or ask the operator.",
  },
  "store.too_much": {
    kind: "RESOURCE_EXHAUSTED",
    text: "the store ended this call, since it was too much work for one; nothing was done. Ask for less at once: fewer names, or patterns that begin with a folder.",
  },
  "store.tier_too_low": {
    kind: "FAILED_PRECONDITION",
    text: "the store offers durability {actual} but {required} is required. Configure the store, or lower LLM_MAILBOX_TIER.",
  },
  "server.unavailable": {
    kind: "UNAVAILABLE",
    text: "the mailbox server at {server} cannot be reached; nothing was done. Try again in a few seconds; if it stays away, tell the operator.",
  },
  "server.outcome_unknown": {
    kind: "UNKNOWN",
    text: "the connection to the mailbox server broke before it answered, so the call may or may not have been done. Repeat it only {how}.",
  },
  "server.refused": {
    kind: "FAILED_PRECONDITION",
    text: "the mailbox server refused the request with HTTP status {status}; nothing was done. Ask the operator to check {what}.",
  },
  internal: {
    kind: "INTERNAL",
    text: "something went wrong on our side (id {id}); the operator finds it in the log. Trying again may help.",
  },
} as const satisfies Record<string, CatalogueEntry>;

/** `room.reason`, stable: programs may depend on it. Described one by one in docs/errors.md. */
export type ErrorCode = keyof typeof entries;

/** The names in braces of a text. */
type Placeholder<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholder<Rest>
  : never;

type FactName<Code extends ErrorCode> = Placeholder<(typeof entries)[Code]["text"]>;

/** The facts that the text of a code speaks of, all of them and no others. */
export type FactsOf<Code extends ErrorCode> = [FactName<Code>] extends [never]
  ? Readonly<Record<string, never>>
  : { readonly [Name in FactName<Code>]: string | number | boolean | readonly string[] };

export const catalogue: Readonly<Record<ErrorCode, CatalogueEntry>> = entries;
