import type { TreeNode } from "./expression-tree.js";

/** What a condition always comes to, whoever asks for what; `byNow` where it is so from now on, and was not always. */
export interface Constant {
  readonly is: boolean;
  readonly byNow: boolean;
}

type Compare = "<" | "<=" | ">" | ">=" | "==" | "!=";

/**
 * What can be told of an expression without a question: by literals, by times that are over, and where it wants one field
 * to be two things at once. Undefined where that is not plain; most that is constant is.
 */
export function constantPart(node: TreeNode, nowMs: number): Constant | undefined {
  const part = (one: TreeNode): Constant | undefined => constantPart(one, nowMs);
  switch (node.op) {
    case "value":
      return typeof node.args === "boolean" ? { is: node.args, byNow: false } : undefined;
    case "!_": {
      const inner = part(node.args as TreeNode);
      return inner && { ...inner, is: !inner.is };
    }
    case "&&":
    case "||": {
      const enough = node.op === "||";
      const parts = chained(node, node.op);
      const said = parts.map(part);
      const deciding = said.find((one) => one?.is === enough);
      if (deciding) return deciding;
      if (node.op === "&&" && areAtOdds(parts)) return { is: false, byNow: false };
      if (said.includes(undefined)) return undefined;
      return { is: !enough, byNow: said.some((one) => one!.byNow) };
    }
    case "?:": {
      const [condition, yes, no] = node.args as [TreeNode, TreeNode, TreeNode];
      const said = part(condition);
      return said && part(said.is ? yes : no);
    }
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "==":
    case "!=":
      return compared(node as TreeNode & { readonly op: Compare }, nowMs);
    default:
      return undefined;
  }
}

/** The parts of a chain of one operator. */
export function chained(node: TreeNode, op: "&&" | "||"): readonly TreeNode[] {
  return node.op === op ? (node.args as TreeNode[]).flatMap((part) => chained(part, op)) : [node];
}

/** `agent.role`, where a node is a field of a variable, or a variable. */
export function fieldOf({ op, args }: TreeNode): string | undefined {
  if (op === "id") return args as string;
  if (op !== ".") return undefined;
  const [base, name] = args as [TreeNode, string];
  const of = fieldOf(base);
  return of === undefined ? undefined : `${of}.${name}`;
}

export function literalOf({ op, args }: TreeNode): unknown {
  return op === "value" ? args : undefined;
}

/** A field and the text that it has to be, in either order. */
export function wanted(node: TreeNode): readonly [field: string, text: string] | undefined {
  if (node.op !== "==") return undefined;
  const [left, right] = node.args as [TreeNode, TreeNode];
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    const field = fieldOf(one);
    const text = literalOf(other);
    if (field !== undefined && typeof text === "string") return [field, text];
  }
  return undefined;
}

function areAtOdds(parts: readonly TreeNode[]): boolean {
  const texts = new Map<string, string>();
  return parts.some((one) => {
    const [field, text] = wanted(one) ?? [];
    if (field === undefined) return false;
    const before = texts.get(field);
    texts.set(field, text!);
    return before !== undefined && before !== text;
  });
}

function compared({ op, args }: TreeNode & { readonly op: Compare }, nowMs: number): Constant | undefined {
  const [left, right] = args as [TreeNode, TreeNode];
  const [one, other] = [literalOf(left), literalOf(right)];
  if (one !== undefined && other !== undefined)
    return { is: holds(op, one as number, other as number), byNow: false };
  const turned = { "<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!=" } as const;
  return withTime(op, left, right, nowMs) ?? withTime(turned[op], right, left, nowMs);
}

function withTime(op: Compare, moving: TreeNode, fixed: TreeNode, nowMs: number): Constant | undefined {
  const now = timeNow(moving, nowMs);
  const then = typeof now === "bigint" ? literalOf(fixed) : timestampOf(fixed);
  if (now === undefined || typeof then !== typeof now) return undefined;
  // Time goes on: only what is behind us stays as it is.
  if (!(now > (then as bigint))) return undefined;
  return { is: op === ">" || op === ">=" || op === "!=", byNow: true };
}

/** `now` in ms, or its year. */
function timeNow(node: TreeNode, nowMs: number): number | bigint | undefined {
  if (fieldOf(node) === "now") return nowMs;
  if (node.op !== "rcall") return undefined;
  const [name, receiver] = node.args as [string, TreeNode];
  // A day is the most that time zones are apart.
  if (name !== "getFullYear" || fieldOf(receiver) !== "now") return undefined;
  return BigInt(new Date(nowMs - 86_400_000).getUTCFullYear());
}

function timestampOf(node: TreeNode): number | undefined {
  if (node.op !== "call") return undefined;
  const [name, given] = node.args as [string, readonly TreeNode[]];
  const text = given.length === 1 ? literalOf(given[0]!) : undefined;
  const at = name === "timestamp" && typeof text === "string" ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

function holds(op: Compare, one: number, other: number): boolean {
  switch (op) {
    case "<":
      return one < other;
    case "<=":
      return one <= other;
    case ">":
      return one > other;
    case ">=":
      return one >= other;
    case "==":
      return one === other;
    case "!=":
      return one !== other;
  }
}
