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

/** What an approval is bound to: who asks, what for, and everything that was said of it. */
export function questionDigest(agent: string, question: Question): string {
  const { action, resource, arguments: given, context } = normalQuestion(question);
  return digest([agent, action, resource, given, context]);
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
