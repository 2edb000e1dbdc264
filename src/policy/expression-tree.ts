/**
 * What we read and change of an expression that the CEL library has parsed. It offers no guard over what an evaluation
 * costs, so that its nodes are given one; these are its own words, held by the exact version in package.json and by the
 * tests in test/policy.
 */
export interface TreeNode {
  readonly op: string;
  args: unknown;
  readonly pos: number;
  /** Put in the place of what the library does with the node. */
  evaluate?: Evaluate;
  readonly meta: {
    readonly evaluate?: Evaluate;
    /** What stands for the node after a macro was expanded. */
    readonly alternate?: TreeNode;
    readonly macro?: {
      readonly macroHasProps?: readonly TreeNode[];
      evaluate: Evaluate;
      readonly args?: TreeNode[];
    };
  };
  /** Set when types are checked. */
  checkedType?: { readonly kind: string; readonly name: string; readonly type: string };
  /** What is done with the values of the operands; set when types are checked. */
  handle?: (...values: unknown[]) => unknown;
}

/** Evaluates a node, or what a macro made of it. */
export type Evaluate = (evaluator: Evaluator, node: unknown, context: unknown) => unknown;

export interface Evaluator {
  run(node: TreeNode, context: unknown): unknown;
}

export interface Comprehension {
  readonly iterable: TreeNode;
  readonly iterVarName: string;
  readonly init: TreeNode;
  step: TreeNode;
}

export function isComprehension(node: TreeNode): boolean {
  return node.op === "comprehension";
}

/** What a node is made of, in the order of the text; a macro as it was expanded. */
export function partsOf(node: TreeNode): readonly TreeNode[] {
  if (node.meta.alternate) return [node.meta.alternate];
  if (node.meta.macro) return [];
  switch (node.op) {
    case "value":
    case "id":
    case "accuValue":
    case "accuInc":
      return [];
    case "accuPush":
    case "!_":
    case "-_":
      return [node.args as TreeNode];
    case ".":
      return [(node.args as [TreeNode, string])[0]];
    case "call":
      return (node.args as [string, TreeNode[]])[1];
    case "rcall": {
      const [, receiver, given] = node.args as [string, TreeNode, TreeNode[]];
      return [receiver, ...given];
    }
    case "map":
      return (node.args as TreeNode[][]).flat();
    case "comprehension": {
      const { iterable, init, step } = node.args as Comprehension;
      return [iterable, init, step];
    }
    default:
      return node.args as TreeNode[];
  }
}

export function countNodes(node: TreeNode): number {
  let count = 1;
  for (const part of partsOf(node)) count += countNodes(part);
  return count;
}
