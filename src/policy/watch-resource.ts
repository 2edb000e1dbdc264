import { withoutScheme } from "./canonical-url.js";
import { type Evaluate, type Evaluator, partsOf, type TreeNode } from "./expression-tree.js";
import { type ResourceNames, severalNames } from "./resource-names.js";
import type { Work } from "./work.js";

type Asking = (names: ResourceNames, other: unknown) => boolean;

/**
 * Makes a checked expression answer for all names that a question is about, or not at all: where it compares `resource`,
 * or a text made by adding to it, with another text, each name has to come to the same; where it does anything else with
 * it, that cannot be decided. A page is compared with URLs by what they name. Otherwise nothing is changed.
 */
export function watchResource(node: TreeNode, work: Work): void {
  const plain = node.meta.evaluate!;
  const compare = isResource(node) ? undefined : comparison(node, plain);
  if (compare)
    node.evaluate = (evaluator, ast, context) =>
      work.names === undefined
        ? plain(evaluator, ast, context)
        : compare(work.names, work, evaluator, ast, context);
  else if (isResource(node))
    node.evaluate = (evaluator, ast, context) =>
      work.names?.areSeveral ? refuseSeveral() : plain(evaluator, ast, context);
  else for (const part of [...partsOf(node), ...(node.meta.macro?.args ?? [])]) watchResource(part, work);
}

/** Whether an expression looks at the resource at all. */
export function mentionsResource(node: TreeNode): boolean {
  return isResource(node) || [...partsOf(node), ...(node.meta.macro?.args ?? [])].some(mentionsResource);
}

type Compare = (
  names: ResourceNames,
  work: Work,
  evaluator: Evaluator,
  ast: unknown,
  context: unknown,
) => unknown;

function comparison(node: TreeNode, plain: Evaluate): Compare | undefined {
  const found = comparedOf(node);
  if (!found) return undefined;
  const { text, other, ask } = found;
  const at = text.findIndex(isResource);
  return (names, work, evaluator, ast, context) => {
    const value = evaluator.run(other, context);
    if (!names.areSeveral && !namesUrl(value)) return plain(evaluator, ast, context);
    const added = (parts: readonly TreeNode[]): string =>
      parts.map((part) => textOf(evaluator.run(part, context))).join("");
    const [before, behind] = [added(text.slice(0, at)), added(text.slice(at + 1))];
    if (before !== "" || !names.isOfWeb || !namesUrl(value))
      return ask(work)(names.between(before, behind), value);
    // The root of a host is named without the slash that its URL has.
    const slash = node.op === "rcall" && (node.args as [string])[0] === "startsWith" ? "/" : "";
    return ask(work)(names.between("", behind + slash), asNamed(value));
  };
}

function namesUrl(value: unknown): boolean {
  return Array.isArray(value)
    ? value.some(namesUrl)
    : typeof value === "string" && withoutScheme(value) !== undefined;
}

/** URLs as pages are named. */
function asNamed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asNamed);
  return typeof value === "string" ? (withoutScheme(value) ?? value) : value;
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
  return text.filter(isResource).length === 1 &&
    text.filter(mentionsResource).length === 1 &&
    !mentionsResource(other)
    ? { text, other, ask }
    : undefined;
}

function addedUp(node: TreeNode): readonly TreeNode[] {
  return node.op === "+" ? (node.args as TreeNode[]).flatMap(addedUp) : [node];
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
