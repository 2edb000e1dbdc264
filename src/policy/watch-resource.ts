import { type Evaluator, partsOf, type TreeNode } from "./expression-tree.js";
import { type ResourceNames, severalNames } from "./resource-names.js";
import type { Work } from "./work.js";

type Asking = (names: ResourceNames, other: unknown) => boolean;

/**
 * Makes a checked expression answer for all names that a question is about, or not at all: where it compares `resource`,
 * or a text made by adding to it, with another text, each name has to come to the same; where it does anything else with
 * it, that cannot be decided. For a question about one name nothing is changed.
 */
export function watchResource(node: TreeNode, work: Work): void {
  const asked = isResource(node) ? refuseSeveral : comparison(node, work);
  if (asked) instead(node, work, asked);
  else for (const part of [...partsOf(node), ...(node.meta.macro?.args ?? [])]) watchResource(part, work);
}

function instead(
  node: TreeNode,
  work: Work,
  evaluate: (names: ResourceNames, run: (part: TreeNode) => unknown) => unknown,
): void {
  const plain = node.meta.evaluate!;
  node.evaluate = (evaluator: Evaluator, ast: unknown, context: unknown) =>
    work.names === undefined
      ? plain(evaluator, ast, context)
      : evaluate(work.names, (part) => evaluator.run(part, context));
}

function comparison(
  node: TreeNode,
  work: Work,
): ((names: ResourceNames, run: (part: TreeNode) => unknown) => unknown) | undefined {
  const found = comparedOf(node);
  if (!found) return undefined;
  const { text, other, ask } = found;
  const at = text.findIndex(isResource);
  return (names, run) => {
    const added = (parts: readonly TreeNode[]): string => parts.map((part) => textOf(run(part))).join("");
    return ask(work)(names.between(added(text.slice(0, at)), added(text.slice(at + 1))), run(other));
  };
}

interface Compared {
  /** The resource, and what is added to it. */
  readonly text: readonly TreeNode[];
  readonly other: TreeNode;
  readonly ask: (work: Work) => Asking;
}

function comparedOf(node: TreeNode): Compared | undefined {
  switch (node.op) {
    case "==":
    case "!=": {
      const [left, right] = node.args as [TreeNode, TreeNode];
      const is = node.op === "==";
      const ask: Compared["ask"] = (work) => (names, other) => names.equals(textOf(other), work) === is;
      return compared(left, right, ask) ?? compared(right, left, ask);
    }
    case "in": {
      const [left, right] = node.args as [TreeNode, TreeNode];
      return compared(left, right, (work) => (names, list) => {
        if (!Array.isArray(list)) return refuseSeveral();
        return list.some((one) => typeof one === "string" && names.equals(one, work));
      });
    }
    case "rcall": {
      const [name, receiver, given] = node.args as [string, TreeNode, readonly TreeNode[]];
      if (given.length !== 1 || !(name === "startsWith" || name === "endsWith" || name === "contains"))
        return undefined;
      return compared(receiver, given[0]!, (work) => (names, other) => names[name](textOf(other), work));
    }
    default:
      return undefined;
  }
}

function compared(left: TreeNode, other: TreeNode, ask: Compared["ask"]): Compared | undefined {
  const text = addedUp(left);
  return text.filter(isResource).length === 1 && text.filter(mentions).length === 1 && !mentions(other)
    ? { text, other, ask }
    : undefined;
}

function addedUp(node: TreeNode): readonly TreeNode[] {
  return node.op === "+" ? (node.args as TreeNode[]).flatMap(addedUp) : [node];
}

function mentions(node: TreeNode): boolean {
  return isResource(node) || [...partsOf(node), ...(node.meta.macro?.args ?? [])].some(mentions);
}

function isResource({ op, args }: TreeNode): boolean {
  return op === "id" && args === "resource";
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : refuseSeveral();
}

function refuseSeveral(): never {
  throw severalNames;
}
