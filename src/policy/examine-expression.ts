import { nearest } from "../addresses/index.js";
import { type ConditionScope, functions, maxNodes } from "./cel-environment.js";
import { ConditionProblem } from "./condition-problem.js";
import {
  type Comprehension,
  countNodes,
  isComprehension,
  partsOf,
  type TreeNode,
} from "./expression-tree.js";
import { isZone, isZonedPart } from "./zoned-time.js";

/**
 * Looks through an expression before its types are checked: refuses what has no bound, finds the counters it asks for,
 * and puts our own functions in the place of those that cost more than they should (regular expressions that go back,
 * time zones that are looked up at each call).
 *
 * @throws {ConditionProblem}
 */
export function examine(
  tree: TreeNode,
  scope: ConditionScope,
): { readonly counters: ReadonlySet<string>; readonly nodes: number } {
  const nodes = countNodes(tree);
  if (nodes > maxNodes) throw new ConditionProblem(`a condition has at most ${maxNodes} parts`, 0);
  const counters = new Set<string>();

  function visit(node: TreeNode): void {
    if (node.op === "call" || node.op === "rcall") examineCall(node, scope);
    if (node.op === "." || node.op === "[]") {
      const counter = counterOf(node);
      if (counter !== undefined) {
        counters.add(counter);
        return;
      }
      if (node.op === ".") knownField(node, scope);
    }
    if (node.op === "id" && node.args === "counts" && scope.variables.includes("counts"))
      throw new ConditionProblem("a counter is asked for by its name, as counts.NAME", node.pos);
    if (isComprehension(node)) {
      const { iterVarName } = node.args as Comprehension;
      if (scope.variables.includes(iterVarName))
        throw new ConditionProblem(`${iterVarName} names something else already`, node.pos);
    }
    for (const part of partsOf(node)) visit(part);
    // `has` looks at a field that need not be there, so that the library does not check it.
    for (const part of node.meta.macro?.args ?? []) visit(part);
  }

  function counterOf(node: TreeNode): string | undefined {
    const [base, name] = node.args as [TreeNode, unknown];
    if (base.op !== "id" || base.args !== "counts") return undefined;
    if (node.op === ".") {
      knownField(node, scope);
      return name as string;
    }
    const literal = literalText(name as TreeNode);
    if (literal === undefined) throw new ConditionProblem("a counter is named, not computed", node.pos);
    known(literal, "counts", scope, node.pos);
    return literal;
  }

  visit(tree);
  return { counters, nodes };
}

function examineCall(node: TreeNode, scope: ConditionScope): void {
  const args = node.args as [string, ...unknown[]];
  const name = args[0];
  const given = (node.op === "call" ? args[1] : args[2]) as TreeNode[];
  if (!functions.has(name)) {
    const meant = nearest(name, functions);
    throw new ConditionProblem(
      `there is no function ${name}${meant ? `; the nearest is ${meant}` : ""}`,
      node.pos,
    );
  }
  if (name === "matches") {
    const pattern = literalText(given.at(-1));
    if (pattern === undefined)
      throw new ConditionProblem("the pattern of matches stands in the rule as a text", node.pos);
    const problem = scope.patterns.take(pattern);
    if (problem) throw new ConditionProblem(problem, given.at(-1)!.pos);
    args[0] = "re2";
  }
  if (isZonedPart(name) && node.op === "rcall" && given.length === 1) {
    const zone = literalText(given[0]);
    if (zone === undefined || !isZone(zone))
      throw new ConditionProblem(
        "a time zone stands in the rule as a text, such as Europe/Berlin",
        given[0]!.pos,
      );
    args[0] = `zoned_${name}`;
  }
  if (name === "has" && node.op === "call") {
    const [field] = given;
    if (field?.op === ".") knownField(field, scope);
  }
}

/** Refuses a field that its variable does not have, with the nearest. */
function knownField(node: TreeNode, scope: ConditionScope): void {
  const [base, name] = node.args as [TreeNode, string];
  if (base.op === "id") known(name, base.args as string, scope, node.pos);
}

function known(name: string, variable: string, scope: ConditionScope, at: number): void {
  if (!Object.hasOwn(scope.fields, variable)) return;
  const fields = scope.fields[variable]!;
  if (fields.includes(name)) return;
  const what = variable === "counts" ? `no counter ${name}` : `no ${variable}.${name}`;
  const meant = nearest(name, fields);
  const near = meant
    ? `; the nearest is ${variable}.${meant}`
    : fields.length > 0 && fields.length <= 10
      ? ` (there are ${fields.join(", ")})`
      : "";
  throw new ConditionProblem(`there is ${what}${near}`, at);
}

function literalText(node: TreeNode | undefined): string | undefined {
  return node?.op === "value" && typeof node.args === "string" ? node.args : undefined;
}
