/**
 * The only place that builds key names. Every part comes from a validated name, so that no name can reach another
 * slot or namespace; the braces make all keys of one mailbox (topic root, directory) share one Cluster slot.
 */

/** A mailbox as the store names it: `alice` for an agent, `queue:reviewers` for a queue. */
export type MailboxName = string;

export interface MailboxKeys {
  /** hash: last sequence, counts, kind, settings */
  readonly meta: string;
  /** hash id → envelope and body, opaque */
  readonly messages: string;
  /** hash id → delivery record */
  readonly deliveries: string;
  /** sorted sets sequence → id, one per priority from low to urgent */
  readonly ready: readonly [string, string, string, string];
  /** sorted set deadline ms → id of what is delivered and not settled */
  readonly open: string;
  /** sorted set due ms → id of what comes back later */
  readonly delayed: string;
  /** sorted set expiry ms → id of what is unsettled */
  readonly expiring: string;
  /** sorted set settled ms → id: history, trimmed by retention */
  readonly settled: string;
  /** sorted set sequence → id of everything kept here */
  readonly all: string;
  /** sorted set buried ms → id */
  readonly dead: string;
  /** hash operation → digest, answer; and its expiry index */
  readonly operations: string;
  readonly operationExpiry: string;
  /** hash sender → unsettled messages here */
  readonly senders: string;
  /** hash batch → run and ids, until settled */
  readonly batches: string;
  /** sorted set sequence → id of what this agent sent, and hash id → recipients */
  readonly sent: string;
  readonly sentTo: string;
  /** hash id → entry with the recipients that are still to be reached */
  readonly outbox: string;
  /** hash run → how many messages are open at it here */
  readonly runs: string;
  /** sorted set due ms → id of what still wants an acknowledgement */
  readonly reminders: string;
  /** set: the queues and topic roots where this agent took something */
  readonly places: string;
  /** hash: calls and sends of the current minute */
  readonly rate: string;
  /** hash attachment id → until when it counts, ms, and bytes: what this agent uploaded lately */
  readonly uploads: string;
  /** set of senders whose mail is refused */
  readonly blocked: string;
  /** list number|row of what was decided here and is not sealed yet, see redis/lua/audit.lua */
  readonly audit: string;
  /** channel on which a change of this mailbox is hinted */
  readonly channel: string;
}

export function mailboxKeys(namespace: string, mailbox: MailboxName): MailboxKeys {
  const at = `{${namespace}:mb:${mailbox}}:`;
  return {
    meta: `${at}meta`,
    messages: `${at}messages`,
    deliveries: `${at}deliveries`,
    ready: [`${at}ready:0`, `${at}ready:1`, `${at}ready:2`, `${at}ready:3`],
    open: `${at}open`,
    delayed: `${at}delayed`,
    expiring: `${at}expiring`,
    settled: `${at}settled`,
    all: `${at}all`,
    dead: `${at}dead`,
    operations: `${at}operations`,
    operationExpiry: `${at}operation-expiry`,
    senders: `${at}senders`,
    batches: `${at}batches`,
    sent: `${at}sent`,
    sentTo: `${at}sent-to`,
    outbox: `${at}outbox`,
    runs: `${at}runs`,
    reminders: `${at}reminders`,
    places: `${at}places`,
    rate: `${at}rate`,
    uploads: `${at}uploads`,
    blocked: `${at}blocked`,
    audit: `${at}audit`,
    channel: `${at}hints`,
  };
}

/** The keys in the order in which `mailbox/lua/mailbox.lua` names them. */
export function mailboxKeyList(keys: MailboxKeys): readonly string[] {
  return [
    keys.meta,
    keys.messages,
    keys.deliveries,
    ...keys.ready,
    keys.open,
    keys.delayed,
    keys.expiring,
    keys.settled,
    keys.all,
    keys.dead,
    keys.operations,
    keys.operationExpiry,
    keys.senders,
    keys.batches,
    keys.outbox,
    keys.runs,
    keys.reminders,
    keys.blocked,
    keys.channel,
    keys.audit,
  ];
}

export interface TopicRootKeys {
  /** hash: last sequence, version of bindings and settings */
  readonly meta: string;
  /** hash id → envelope and body, opaque */
  readonly messages: string;
  /** hash id → topic, sequence, sender and what else filters and retention read */
  readonly facts: string;
  /** sorted set last sequence → topic; 0 while it has had no message */
  readonly heads: string;
  /** hash topic → when created and last used, bytes, what was trimmed */
  readonly topics: string;
  /** hash topic|setting → value, of what was set explicitly */
  readonly settings: string;
  /** hash id → at how many agents it is open; set of ids that left the history and are kept for them alone */
  readonly holds: string;
  readonly orphans: string;
  /** hash agent and pattern → since when */
  readonly subscriptions: string;
  /** channel on which a publish hints its topic, and something given back its agent as @agent */
  readonly channel: string;
  readonly operations: string;
  readonly operationExpiry: string;
  /** list number|row of what was decided here and is not sealed yet */
  readonly audit: string;
  /** sorted set sequence → id of one topic */
  index(topic: string): string;
  /** sorted set sequence of a trimmed message → when it was trimmed, as a sequence */
  trims(topic: string): string;
  /** hash: subscriptions and positions of one agent in this root */
  deliveries(agent: string): string;
  /** hash id → delivery record of what this agent was given and has not settled */
  open(agent: string): string;
  /** sorted set sequence → topic|id of what was delivered above the position */
  taken(agent: string): string;
}

export function topicRootKeys(namespace: string, root: string): TopicRootKeys {
  const at = `{${namespace}:tp:${root}}:`;
  return {
    meta: `${at}meta`,
    messages: `${at}messages`,
    facts: `${at}facts`,
    heads: `${at}heads`,
    topics: `${at}topics`,
    settings: `${at}settings`,
    holds: `${at}holds`,
    orphans: `${at}orphans`,
    subscriptions: `${at}subscriptions`,
    channel: `${at}hints`,
    operations: `${at}operations`,
    operationExpiry: `${at}operation-expiry`,
    audit: `${at}audit`,
    index: (topic) => `${at}index:${topic}`,
    trims: (topic) => `${at}trims:${topic}`,
    deliveries: (agent) => `${at}deliveries:${agent}`,
    open: (agent) => `${at}open:${agent}`,
    taken: (agent) => `${at}taken:${agent}`,
  };
}

/** The keys in the order in which `topics/lua/root.lua` names them. */
export function topicRootKeyList(keys: TopicRootKeys): readonly string[] {
  return [
    keys.meta,
    keys.messages,
    keys.facts,
    keys.heads,
    keys.topics,
    keys.settings,
    keys.holds,
    keys.orphans,
    keys.subscriptions,
    keys.channel,
  ];
}

export interface StateGroupKeys {
  /** hash: last sequence, bytes, epoch of its room */
  readonly meta: string;
  /** hash key → entry; hash key → its value, opaque */
  readonly entries: string;
  readonly values: string;
  /** sorted set of the live keys, all scores 0 */
  readonly order: string;
  /** sorted set expiry ms → key; sorted set when it is forgotten ms → key that is gone */
  readonly expiring: string;
  readonly gone: string;
  /** hash key → its earlier versions; hash version → its value */
  readonly history: string;
  readonly past: string;
  /** hash resource → highest fencing token seen; sorted set last seen ms → resource */
  readonly tokens: string;
  readonly fences: string;
  /** list number|row of what was decided here and is not sealed yet */
  readonly audit: string;
  readonly operations: string;
  readonly operationExpiry: string;
  /** channel on which a change hints its key */
  readonly channel: string;
}

export function stateGroupKeys(namespace: string, group: string): StateGroupKeys {
  const at = `{${namespace}:st:${group}}:`;
  return {
    meta: `${at}meta`,
    entries: `${at}entries`,
    values: `${at}values`,
    order: `${at}order`,
    expiring: `${at}expiring`,
    gone: `${at}gone`,
    history: `${at}history`,
    past: `${at}past`,
    tokens: `${at}tokens`,
    fences: `${at}fences`,
    audit: `${at}audit`,
    operations: `${at}operations`,
    operationExpiry: `${at}operation-expiry`,
    channel: `${at}hints`,
  };
}

/** The keys in the order in which `state/lua/group.lua` names them. */
export function stateGroupKeyList(keys: StateGroupKeys): readonly string[] {
  return [
    keys.meta,
    keys.entries,
    keys.values,
    keys.order,
    keys.expiring,
    keys.gone,
    keys.history,
    keys.past,
    keys.tokens,
    keys.fences,
    keys.operations,
    keys.operationExpiry,
    keys.channel,
    keys.audit,
  ];
}

export interface DirectoryKeys {
  /** hash agent → when first and last seen, description, capabilities */
  readonly agents: string;
  /** hash queue → settings */
  readonly queues: string;
  /** hash topic root → its number in the order of first use */
  readonly roots: string;
  /** hash group of shared state → its room, bytes and epoch; * → their sum */
  readonly stateRooms: string;
  /** sorted set when opened ms → name of a mailbox that nobody has claimed; hash name → who opened it */
  readonly unclaimed: string;
  readonly unclaimedBy: string;
  /** sorted set heartbeat, ms of witnessed time → process, 0 once it is given up; hash process → host, pid, start */
  readonly heartbeats: string;
  readonly processes: string;
  /** hash: witnessed time, and the store's clock when it was that; see agents/lua/witnessed.lua */
  readonly clock: string;
  /** hash run → process and agent */
  readonly runs: string;
  /** sorted set next sweep ms → mailbox with undelivered outbox entries */
  readonly outboxes: string;
  /** string: who sweeps, until when */
  readonly sweeper: string;
  readonly settings: string;
  /** hash: version, tokens-required, roles:AGENT, grant:ID */
  readonly access: string;
  /** hash token id → what is known of the token; never the token */
  readonly tokens: string;
  /** list number|row of what was decided here and is not sealed yet */
  readonly audit: string;
  readonly channel: string;
  /** hash: the patterns one agent follows and the topic roots where it has deliveries */
  follows(agent: string): string;
}

export function directoryKeys(namespace: string): DirectoryKeys {
  const at = `{${namespace}:dir}:`;
  return {
    agents: `${at}agents`,
    queues: `${at}queues`,
    roots: `${at}roots`,
    stateRooms: `${at}state-rooms`,
    unclaimed: `${at}unclaimed`,
    unclaimedBy: `${at}unclaimed-by`,
    heartbeats: `${at}heartbeats`,
    processes: `${at}processes`,
    clock: `${at}clock`,
    runs: `${at}runs`,
    outboxes: `${at}outboxes`,
    sweeper: `${at}sweeper`,
    settings: `${at}settings`,
    access: `${at}access`,
    tokens: `${at}tokens`,
    audit: `${at}audit`,
    channel: `${at}hints`,
    follows: (agent) => `${at}follows:${agent}`,
  };
}

/** hash operation → 1: the messages that descend from one origin, so that a circle of replies is noticed */
export function conversationKey(namespace: string, origin: string): string {
  return `{${namespace}:cv:${origin}}:messages`;
}

export interface AttachmentKeys {
  /** hash: owner, name, content type, bytes, SHA-256, state */
  readonly meta: string;
  /** hash number of the part → its bytes as base64 */
  readonly parts: string;
  /** sorted set kept until ms → mailbox or topic/message id that carries it */
  readonly references: string;
}

export function attachmentKeys(namespace: string, id: string): AttachmentKeys {
  const at = `{${namespace}:at:${id}}:`;
  return { meta: `${at}meta`, parts: `${at}parts`, references: `${at}references` };
}

export interface LockKeys {
  /** hash: lock time, the store's clock when it was last moved, last token, last arrival */
  readonly meta: string;
  /** hash id → request: a lease, an offer, a place in the queue or the pause after a lease */
  readonly requests: string;
  /** hash l|anchor and p|anchor → ids; sorted set of the anchors by name */
  readonly index: string;
  readonly anchors: string;
  /** sorted set lock time ms → id; those that wait come last */
  readonly due: string;
  /** hash run → ids */
  readonly runs: string;
  /** sorted set last heartbeat in lock time → process */
  readonly processes: string;
  /** hash id → process of what is offered and not claimed */
  readonly offers: string;
  readonly operations: string;
  readonly operationExpiry: string;
  /** hash run → the agent whose message or decision it waits for; of edit hooks that hold something, their own agent */
  readonly awaiting: string;
  /** list: what was released by force, newest first */
  readonly forced: string;
  /** hash number of an offer → whom it is to be told, and where */
  readonly notices: string;
  /** list number|row of what was decided here and is not sealed yet, see redis/lua/audit.lua */
  readonly audit: string;
  /** channel: ids of what was offered, passed over or lost, and @agent where a run of it lost something with its end */
  readonly channel: string;
  /** channel on which any change is hinted */
  readonly changes: string;
  /** hash run → what it lost while it went on and was not told yet, see locks/lua/queue.lua */
  readonly untold: string;
  /** set of runs that hold or wait, and whose client is not seen although it ought to be: what they are offered is not for long */
  readonly absent: string;
  /** hash l|anchor and p|anchor → who lost something there and who was granted it since, see locks/lua/queue.lua */
  readonly since: string;
  /** string: what runs of an agent had lost when they ended, until another run of it was told; for a day */
  lost(agent: string): string;
}

/** All locks of a namespace share a slot: a request may name any of its resources. */
export function lockKeys(namespace: string): LockKeys {
  const at = `{${namespace}:lk}:`;
  return {
    meta: `${at}meta`,
    requests: `${at}requests`,
    index: `${at}index`,
    anchors: `${at}anchors`,
    due: `${at}due`,
    runs: `${at}runs`,
    processes: `${at}processes`,
    offers: `${at}offers`,
    operations: `${at}operations`,
    operationExpiry: `${at}operation-expiry`,
    awaiting: `${at}awaiting`,
    forced: `${at}forced`,
    notices: `${at}notices`,
    audit: `${at}audit`,
    channel: `${at}hints`,
    changes: `${at}changes`,
    untold: `${at}untold`,
    absent: `${at}absent`,
    since: `${at}since`,
    lost: (agent) => `${at}lost:${agent}`,
  };
}

/** The keys in the order in which `locks/lua/slot.lua` names them. */
export function lockKeyList(keys: LockKeys): readonly string[] {
  return [
    keys.meta,
    keys.requests,
    keys.index,
    keys.anchors,
    keys.due,
    keys.runs,
    keys.processes,
    keys.offers,
    keys.operations,
    keys.operationExpiry,
    keys.awaiting,
    keys.forced,
    keys.notices,
    keys.audit,
    keys.channel,
    keys.changes,
    keys.untold,
    keys.absent,
    keys.since,
  ];
}

export interface PolicyKeys {
  /** hash: current → number of the newest rule set; stamp → when it became that; about:NUMBER → when it was put, by whom
   * and why; text:NUMBER → the rule set */
  readonly rules: string;
  /** hash counter|subject|begin of its window → how often; the same for sums of limits, in millionths */
  readonly counts: string;
  /** sorted set end of the window ms → field of the counts */
  readonly windows: string;
  /** hash id → reservation; sorted set when it ends unsettled ms → id */
  readonly reservations: string;
  readonly held: string;
  /** hash agent|day|what → estimated, settled or reported cost, in millionths */
  readonly figures: string;
  /** list: what was decided, newest first, for a replay under other rules */
  readonly decisions: string;
  /** hash run → whose mail it has read; sorted set last read ms → run */
  readonly reads: string;
  readonly readAt: string;
  readonly operations: string;
  readonly operationExpiry: string;
  /** list number|row of what was decided here and is not sealed yet, see redis/lua/audit.lua */
  readonly audit: string;
  /** channel on which a new rule set is hinted */
  readonly channel: string;
}

/** Rules, budgets and counts of a namespace share a slot: a check looks at all of them in one script. */
export function policyKeys(namespace: string): PolicyKeys {
  const at = `{${namespace}:po}:`;
  return {
    rules: `${at}rules`,
    counts: `${at}counts`,
    windows: `${at}windows`,
    reservations: `${at}reservations`,
    held: `${at}held`,
    figures: `${at}figures`,
    decisions: `${at}decisions`,
    reads: `${at}reads`,
    readAt: `${at}read-at`,
    operations: `${at}operations`,
    operationExpiry: `${at}operation-expiry`,
    audit: `${at}audit`,
    channel: `${at}hints`,
  };
}

/** The keys in the order in which `policy/lua/slot.lua` names them. */
export function policyKeyList(keys: PolicyKeys): readonly string[] {
  return [
    keys.rules,
    keys.counts,
    keys.windows,
    keys.reservations,
    keys.held,
    keys.figures,
    keys.decisions,
    keys.reads,
    keys.readAt,
    keys.operations,
    keys.operationExpiry,
    keys.audit,
    keys.channel,
  ];
}

export interface ApprovalKeys {
  /** hash id → request; hash id, id:head, id:edited → what was asked, opaque */
  readonly requests: string;
  readonly questions: string;
  /** hash id → votes, one a line */
  readonly votes: string;
  /** hash agent → requests that wait for a decision; * → their sum */
  readonly pending: string;
  /** sorted set when something is due ms (an escalation, the end) → id of what is neither decided nor used yet */
  readonly due: string;
  /** sorted set opened ms → id of everything kept here */
  readonly all: string;
  /** hash digest of who asks for what → id of the request that stands for it */
  readonly standing: string;
  /** hash id of a message to an approver → id of the request it tells of; @id → its messages */
  readonly notices: string;
  /** hash signed link → 1 when it was used; key → what links are signed with; sorted set when it is forgotten ms → link */
  readonly links: string;
  readonly linkExpiry: string;
  readonly operations: string;
  readonly operationExpiry: string;
  /** list number|row of what was decided here and is not sealed yet, see redis/lua/audit.lua */
  readonly audit: string;
  /** channel on which a change of a request is hinted, by its id */
  readonly channel: string;
}

export function approvalKeys(namespace: string): ApprovalKeys {
  const at = `{${namespace}:ap}:`;
  return {
    requests: `${at}requests`,
    questions: `${at}questions`,
    votes: `${at}votes`,
    pending: `${at}pending`,
    due: `${at}due`,
    all: `${at}all`,
    standing: `${at}standing`,
    notices: `${at}notices`,
    links: `${at}links`,
    linkExpiry: `${at}link-expiry`,
    operations: `${at}operations`,
    operationExpiry: `${at}operation-expiry`,
    audit: `${at}audit`,
    channel: `${at}hints`,
  };
}

/** The keys in the order in which `approvals/lua/slot.lua` names them. */
export function approvalKeyList(keys: ApprovalKeys): readonly string[] {
  return [
    keys.requests,
    keys.questions,
    keys.votes,
    keys.pending,
    keys.due,
    keys.all,
    keys.standing,
    keys.notices,
    keys.links,
    keys.linkExpiry,
    keys.operations,
    keys.operationExpiry,
    keys.audit,
    keys.channel,
  ];
}

export interface AuditKeys {
  /** hash: number and hash of the last sealed row, number of the first that is kept */
  readonly end: string;
  /** hash slot → number of its last row that was sealed */
  readonly taken: string;
  /** list of signed checkpoints, oldest first */
  readonly checkpoints: string;
  /** list of sealed rows, `rowsPerChunk` of them: the chunk that holds row `number` */
  chunk(number: number): string;
}

/** So many rows go before they are trimmed together. */
export const rowsPerChunk = 1_000;

export function auditKeys(namespace: string): AuditKeys {
  const at = `{${namespace}:au}:`;
  return {
    end: `${at}end`,
    taken: `${at}taken`,
    checkpoints: `${at}checkpoints`,
    chunk: (number) => `${at}rows:${Math.floor((number - 1) / rowsPerChunk)}`,
  };
}
