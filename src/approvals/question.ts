import { refuse } from "../errors/index.js";
import { digest } from "../redis/index.js";
import type { ApprovalLimits } from "./limits.js";

type Values = Readonly<Record<string, unknown>>;

/** What somebody wants to do, as it was asked: what is approved is this and nothing else. */
export interface Question {
  readonly action: string;
  /** Empty where none was named. */
  readonly resource: string;
  readonly arguments: Values;
  /** Whatever else was said of it. */
  readonly context: Values;
}

/** The same question, whether its arguments were said by themselves or within its context. */
export function normalQuestion(given: Question): Question {
  const { arguments: within, ...context } = given.context;
  const said = Object.keys(given.arguments).length > 0 || !isObject(within);
  return {
    action: given.action,
    resource: given.resource,
    arguments: said ? given.arguments : within,
    context: said && within !== undefined ? given.context : context,
  };
}

/** Of the terms of a request what decides whether an approval is worth as much as the rules want; not its times. */
export interface BoundTerms {
  readonly quorum: number;
  readonly approvers: readonly string[];
  readonly byClient: boolean;
  readonly otherwise: "deny" | "allow";
  readonly escalateTo: readonly string[];
}

/**
 * What an approval is bound to: who asks, what for, everything that was said of it, and after a colon the terms it was
 * asked under. The scripts tell by the first part that the same was asked under other terms.
 */
export function questionDigest(agent: string, question: Question, terms: BoundTerms): string {
  const { action, resource, arguments: given, context } = normalQuestion(question);
  const { quorum, byClient, otherwise } = terms;
  const [approvers, escalateTo] = [terms.approvers, terms.escalateTo].map((names) =>
    [...new Set(names)].sort(),
  );
  return `${digest([agent, action, resource, given, context])}:${digest([quorum, approvers, byClient, otherwise, escalateTo])}`;
}

/** @throws {MailboxError} `approval.too_large`, `input.invalid` */
export function checkValues(values: Values, part: string, limits: ApprovalLimits): void {
  if (isDeeper(values, limits.levels))
    refuse("input.invalid", { problem: `the ${part} may be nested ${limits.levels} levels deep` });
  const bytes = Buffer.byteLength(JSON.stringify(values));
  if (bytes > limits.argumentBytes)
    refuse("approval.too_large", { part, bytes, limit: limits.argumentBytes });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((one) => isDeeper(one, levels - 1));
}
