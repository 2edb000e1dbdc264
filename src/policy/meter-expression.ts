import {
  type Comprehension,
  countNodes,
  type Evaluate,
  type Evaluator,
  isComprehension,
  partsOf,
  type TreeNode,
} from "./expression-tree.js";
import { AgentValue, ReadsValue } from "./given.js";
import { LeftOut } from "./left-out.js";
import { Undecidable } from "./undecidable.js";
import { sizeOf, type Work } from "./work.js";

/** What an error costs that is caught within an expression: the library draws a picture of it. */
const errorSteps = 40;
const zoneSteps = 40;

/** Kinds of values whose size is that of a comparison. */
const small = new Set([
  "bool",
  "int",
  "double",
  "null",
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
]);

/**
 * Puts a guard on every node of a checked expression whose cost grows with what it is given: comprehensions pay for all
 * their turns before the first, operators and functions for the sizes of their operands. A field that is not there is
 * told by an error made now, which names it.
 */
export function meter(node: TreeNode, work: Work): void {
  // Parts first: a comprehension then takes the place of its step.
  for (const part of partsOf(node)) meter(part, work);
  if (node.meta.macro) {
    if (node.meta.macro.macroHasProps) node.meta.macro.evaluate = hasField;
    return;
  }
  if (node.meta.alternate || !node.handle) return;
  const handle = node.handle;
  if (isComprehension(node)) node.handle = meteredTurns(node, handle, work);
  else if (node.op === "." || node.op === "[]") node.handle = fieldAccess(node, handle, work);
  else if (node.op === "call" || node.op === "rcall") node.handle = meteredCall(node, handle, work);
  else if (!isCheap(node)) node.handle = meteredOperator(node, handle, work);
}

function meteredTurns(
  node: TreeNode,
  handle: (...values: unknown[]) => unknown,
  work: Work,
): (...values: unknown[]) => unknown {
  const comprehension = node.args as Comprehension;
  const step = comprehension.step as TreeNode & { evaluate: Evaluate };
  const perTurn = countNodes(step) + 2;
  comprehension.step = {
    op: step.op,
    args: step.args,
    meta: step.meta,
    pos: step.pos,
    ...(step.checkedType && { checkedType: step.checkedType }),
    evaluate: (evaluator: Evaluator, _node: unknown, context: unknown) => {
      work.spend(0);
      try {
        return step.evaluate(evaluator, step, context);
      } catch (error) {
        // The quantifiers go on after an error, with the next element.
        if (!(error instanceof Undecidable)) work.spend(errorSteps);
        throw error;
      }
    },
  } as TreeNode;
  return (items, ...rest) => {
    work.spend(perTurn * lengthOf(items));
    return handle(items, ...rest);
  };
}

function fieldAccess(
  node: TreeNode,
  handle: (...values: unknown[]) => unknown,
  work: Work,
): (...values: unknown[]) => unknown {
  const [base, key] = node.args as [TreeNode, string | TreeNode];
  if (base.checkedType?.kind === "message" && typeof key === "string")
    return (left) => (left as Record<string, unknown>)[key];
  const missing = missingField(node);
  return (left, right, ...rest) => {
    if (left instanceof Map) {
      const value: unknown = left.get(right);
      if (value instanceof LeftOut) throw value.undecidable;
      if (value !== undefined) return value;
      throw missing;
    }
    work.spend(1);
    try {
      return handle(left, right, ...rest);
    } catch (error) {
      work.spend(errorSteps);
      throw error;
    }
  };
}

function meteredCall(
  node: TreeNode,
  handle: (...values: unknown[]) => unknown,
  work: Work,
): (...values: unknown[]) => unknown {
  const name = (node.args as [string])[0];
  const cost = costOf(name);
  return (values, ...rest) => {
    work.spend(cost(values as readonly unknown[], work));
    try {
      return handle(values, ...rest);
    } catch (error) {
      if (!(error instanceof Undecidable)) work.spend(errorSteps);
      throw error;
    }
  };
}

function costOf(name: string): (values: readonly unknown[], work: Work) => number {
  switch (name) {
    case "re2":
      // The patterns pay for themselves.
      return () => 1;
    case "size":
      return ([value]) => (typeof value === "string" ? 1 + (value.length >> 3) : 1);
    case "split":
      return ([text]) => (typeof text === "string" ? 1 + text.length : 1);
    case "type":
    case "dyn":
      return () => 1;
    default:
      return name.startsWith("zoned_")
        ? () => zoneSteps
        : (values, { left }) => values.reduce((sum: number, value) => sum + sizeOf(value, left), 1);
  }
}

function meteredOperator(
  node: TreeNode,
  handle: (...values: unknown[]) => unknown,
  work: Work,
): (...values: unknown[]) => unknown {
  const operands = node.op === "!_" || node.op === "-_" || node.op === "?:" ? 1 : 2;
  return (left, right, ...rest) => {
    work.spend(sizeOf(left, work.left) + (operands === 2 ? sizeOf(right, work.left) : 0));
    try {
      return handle(left, right, ...rest);
    } catch (error) {
      if (!(error instanceof Undecidable)) work.spend(errorSteps);
      throw error;
    }
  };
}

/** Whether an operator can neither fail nor cost more than what stands in the rule. */
function isCheap(node: TreeNode): boolean {
  const operands = partsOf(node);
  if (operands.every(({ checkedType }) => small.has(checkedType?.name ?? ""))) return true;
  const [left, right] = operands;
  if (!left || !right) return false;
  const texts = left.checkedType?.name === "string" && right.checkedType?.name === "string";
  if ((node.op === "==" || node.op === "!=") && texts) return left.op === "value" || right.op === "value";
  return node.op === "in" && right.op === "list" && left.checkedType?.name === "string";
}

/** `has` is false also where what the field would stand in is not there. */
const hasField: Evaluate = (evaluator, macro, context) => {
  const nodes = (macro as { readonly macroHasProps: readonly TreeNode[] }).macroHasProps;
  let value = evaluator.run(nodes.at(-1)!, context);
  for (let n = nodes.length - 2; n >= 0; n--) {
    const name = (nodes[n]!.args as [TreeNode, string])[1];
    if (value instanceof LeftOut) throw value.undecidable;
    if (value instanceof Map) value = value.get(name);
    else if (typeof value === "object" && value !== null && holdsField(value, name))
      value = (value as Record<string, unknown>)[name];
    else return false;
    if (value === undefined) return false;
  }
  return true;
};

/** The values of our own have their fields in part from their class; those of an expression are plain. */
function holdsField(value: object, name: string): boolean {
  if (value instanceof AgentValue || value instanceof ReadsValue) return true;
  return !Array.isArray(value) && Object.hasOwn(value, name);
}

/** Names what the rule's author asks for, where it stands in the rule as a name. */
function missingField(node: TreeNode): Undecidable {
  const names: string[] = [];
  let at: TreeNode = node;
  while (at.op === "." || at.op === "[]") {
    const [base, key] = at.args as [TreeNode, string | TreeNode];
    if (typeof key === "string") names.unshift(key);
    else if (key.op === "value" && typeof key.args === "string") names.unshift(key.args);
    else return new Undecidable("a field that it asks for is not there");
    at = base;
  }
  if (at.op !== "id") return new Undecidable("a field that it asks for is not there");
  const path = names.join(".");
  return at.args === "context"
    ? new Undecidable(`the context does not say ${path}`, `Say ${path} in the context and ask again.`)
    : new Undecidable(`there is no ${String(at.args)}.${path}`, "Ask the operator.");
}

function lengthOf(items: unknown): number {
  if (Array.isArray(items)) return items.length;
  if (items instanceof Map || items instanceof Set) return items.size;
  return typeof items === "object" && items !== null ? Object.keys(items).length : 0;
}
