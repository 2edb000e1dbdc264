import type { ReplyValue } from "../redis/index.js";
import type { Approval, ApprovalHead, ShownVote } from "./contract.js";
import type { Question } from "./question.js";
import { effectOf, parseRequest, type StoredRequest } from "./stored-request.js";
import { parseVotes, type Vote } from "./vote.js";

/** What was asked, as it is kept beside the request. */
export interface KeptQuestion extends Question {
  readonly why: string;
  readonly risk: string;
  readonly rules: readonly string[];
  readonly reasons: readonly string[];
  readonly verified: boolean;
  readonly roles: readonly string[];
  readonly role: string;
  readonly team: string;
  /** The argument from which the resource was taken. */
  readonly naming?: string;
  /** Names in the context that are ours. */
  readonly added?: readonly string[];
}

/** The part of it that lists show. */
export type QuestionHead = Pick<KeptQuestion, "action" | "resource" | "risk" | "rules" | "verified">;

/** A request as it was read, whole. */
export interface ReadRequest {
  readonly id: string;
  readonly request: StoredRequest;
  readonly question: KeptQuestion;
  readonly votes: readonly Vote[];
  /** As the script keeps them, to tell whether they have changed. */
  readonly votesText: string;
  readonly edited: Question | undefined;
  /** Who voted for other arguments → the question with those. */
  readonly edits: ReadonlyMap<string, Question>;
}

/** What the rules of now make of a request, which is not kept with it. */
export interface Regard {
  /** Whose votes count as things are; absent where nobody looked. */
  readonly counting?: ReadonlySet<string>;
  /** Whoever asked was stopped since. */
  readonly isStopped: boolean;
}

export function readRequest(
  id: string,
  [request, question, votes, edited, edits]: readonly ReplyValue[],
): ReadRequest {
  const words = (edits as readonly ReplyValue[]).map(String);
  return {
    id,
    request: parseRequest(String(request)),
    question: JSON.parse(String(question)) as KeptQuestion,
    votes: parseVotes(String(votes)),
    votesText: String(votes),
    edited: edited ? (JSON.parse(String(edited)) as Question) : undefined,
    edits: new Map(
      words.flatMap((name, n) => (n % 2 === 0 ? [[name, JSON.parse(words[n + 1]!) as Question]] : [])),
    ),
  };
}

export function shownHead(
  id: string,
  request: StoredRequest,
  { action, resource, risk, rules, verified }: QuestionHead,
  votes: readonly Vote[],
  { counting, isStopped }: Regard = { isStopped: false },
): ApprovalHead {
  const effect = effectOf(request);
  return {
    id,
    state: request.state,
    ...(effect && { effect }),
    agent: request.agent,
    ...(isStopped && { stopped: true as const }),
    verified,
    action,
    resource,
    risk,
    rules,
    opened_at: isoTime(request.openedAt),
    expires_at: isoTime(request.expiresAt),
    otherwise: request.otherwise,
    quorum: request.quorum,
    approvers: request.approvers,
    ...(request.escalateAt > 0 && {
      escalates_at: isoTime(request.escalateAt),
      escalates_to: request.escalateTo,
    }),
    agreeing: agreeingOf(request, votes, counting),
    votes: votes.map((vote) => shownVote(vote, counting)),
  };
}

/** As many as agree, which is what a decision needs a quorum of. */
function agreeingOf(
  { state, counted }: StoredRequest,
  votes: readonly Vote[],
  counting: Regard["counting"],
): number {
  if (state === "approved" || state === "used") return counted.length;
  const sums = new Map<string, number>();
  for (const { name, digest } of votes)
    if (digest !== "" && counting?.has(name) !== false) sums.set(digest, (sums.get(digest) ?? 0) + 1);
  return Math.max(0, ...sums.values());
}

/** @param regarded what the rules of now make of it; without that, each vote is shown as one that counts */
export function shownApproval(
  { id, request, question, votes, edited, edits }: ReadRequest,
  regarded?: Regard,
): Approval {
  const answer = request.state === "answered" && votes.find(({ decision }) => decision === "answer")?.comment;
  return {
    ...shownHead(id, request, question, votes, regarded),
    votes: votes.map((vote) => shownVote(vote, regarded?.counting, edits.get(vote.name))),
    roles: question.roles,
    role: question.role,
    team: question.team,
    arguments: question.arguments,
    ...partedContext(question),
    why: question.why,
    reasons: question.reasons,
    by_client: request.byClient,
    ...(edited && { edited_arguments: edited.arguments }),
    ...(answer && { answer }),
    decided_by: request.counted,
    ...(request.endedAt > 0 && { decided_at: isoTime(request.endedAt) }),
    ...(request.usableUntil > 0 && { usable_until: isoTime(request.usableUntil) }),
    ...(request.usedAt > 0 && { used_at: isoTime(request.usedAt) }),
  };
}

/** What the requester said of it, and what we did. */
function partedContext({ context, added = [] }: KeptQuestion): Pick<Approval, "context" | "added"> {
  if (added.length === 0) return { context };
  const entries = Object.entries(context);
  const isOurs = ([name]: readonly [string, unknown]): boolean => added.includes(name);
  return {
    context: Object.fromEntries(entries.filter((one) => !isOurs(one))),
    added: Object.fromEntries(entries.filter(isOurs)),
  };
}

function shownVote(
  { name, verified, way, decision, comment, atMs }: Vote,
  counting: Regard["counting"],
  edit?: Question,
): ShownVote {
  return {
    ...{ by: name, verified, way, decision },
    ...(comment && { comment }),
    ...(edit && { arguments: edit.arguments }),
    ...(counting?.has(name) === false && { counts: false as const }),
    at: isoTime(atMs),
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
