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
): ApprovalHead {
  const effect = effectOf(request);
  return {
    id,
    state: request.state,
    ...(effect && { effect }),
    agent: request.agent,
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
    votes: votes.map((vote) => shownVote(vote)),
  };
}

export function shownApproval({ id, request, question, votes, edited, edits }: ReadRequest): Approval {
  const answer = request.state === "answered" && votes.find(({ decision }) => decision === "answer")?.comment;
  return {
    ...shownHead(id, request, question, votes),
    votes: votes.map((vote) => shownVote(vote, edits.get(vote.name))),
    roles: question.roles,
    role: question.role,
    team: question.team,
    arguments: question.arguments,
    context: question.context,
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

function shownVote({ name, verified, way, decision, comment, atMs }: Vote, edit?: Question): ShownVote {
  return {
    ...{ by: name, verified, way, decision },
    ...(comment && { comment }),
    ...(edit && { arguments: edit.arguments }),
    at: isoTime(atMs),
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
