import { nearest } from "../addresses/index.js";
import { type ConditionScope, isCelError } from "./cel-environment.js";
import { ConditionProblem } from "./condition-problem.js";
import { examine } from "./examine-expression.js";
import type { TreeNode } from "./expression-tree.js";
import type { Given } from "./given.js";
import { meter } from "./meter-expression.js";
import type { Meant } from "./resource-names.js";
import { Undecidable } from "./undecidable.js";
import { mentionsResource, watchResource } from "./watch-resource.js";
import type { Work } from "./work.js";

/** A condition of a rule, ready to be asked. */
export interface Condition {
  readonly source: string;
  /** Counters whose numbers it asks for. */
  readonly counters: ReadonlySet<string>;
  /** How many parts it has: what asking it costs at least. */
  readonly nodes: number;
  readonly looksAtResource: boolean;
  /**
   * @param meant what the question is about; left out where the condition does not look at it
   * @throws {Undecidable} where it cannot be decided
   */
  holds(given: Given, meant?: Meant): boolean;
}

/**
 * Reads an expression, checks its types and gives its evaluation a guard.
 *
 * @throws {ConditionProblem}
 */
export function compileCondition(source: string, scope: ConditionScope, work: Work): Condition {
  const parsed = parse(source, scope);
  const tree = parsed.ast as unknown as TreeNode;
  const { counters, nodes } = examine(tree, scope);
  const checked = parsed.check();
  if (!checked.valid) throw problemOf(checked.error, scope);
  if (checked.type !== "bool" && checked.type !== "dyn")
    throw new ConditionProblem(`a condition is true or false, and this is of type ${checked.type}`, 0);
  const looksAtResource = mentionsResource(tree);
  if (looksAtResource) watchResource(tree, work);
  meter(tree, work);
  return {
    source,
    counters,
    nodes,
    looksAtResource,
    holds(given, meant) {
      let result: unknown;
      const own = given.resource;
      work.names = meant?.names;
      if (meant) given.resource = meant.resource;
      try {
        result = parsed(given as unknown as Record<string, unknown>);
      } catch (error) {
        throw error instanceof Undecidable ? error : otherKind;
      } finally {
        given.resource = own;
      }
      if (typeof result !== "boolean") throw notBoolean;
      return result;
    },
  };
}

const otherKind = new Undecidable("a value is missing or of another kind than the rule expects");
const notBoolean = new Undecidable("its condition is neither true nor false");

function parse(source: string, scope: ConditionScope): ReturnType<ConditionScope["environment"]["parse"]> {
  try {
    return scope.environment.parse(source);
  } catch (error) {
    throw problemOf(error, scope);
  }
}

function problemOf(error: unknown, { variables }: ConditionScope): ConditionProblem {
  if (error instanceof ConditionProblem) return error;
  if (isCelError(error))
    return new ConditionProblem(inOwnWords(error.summary, variables), error.range?.start ?? 0);
  if (error instanceof RangeError) return new ConditionProblem("the expression is nested too deep", 0);
  throw error;
}

/** What the parser says in the names of its settings and types; the rest it says as a rule's author would. */
function inOwnWords(summary: string, variables: readonly string[]): string {
  const [, bound = "", most = ""] = /^Exceeded (\w+) \((\d+)\)$/.exec(summary) ?? [];
  if (Object.hasOwn(bounds, bound)) return bounds[bound]!(most);
  const [, variable] = /^Unknown variable: (.+)$/s.exec(summary) ?? [];
  if (variable !== undefined) {
    const meant = nearest(variable, variables);
    return `there is no ${variable} here${meant ? `; the nearest is ${meant}` : ` (there are ${variables.join(", ")})`}`;
  }
  const [, values] = /^no such overload: (.+)$/s.exec(summary) ?? [];
  return values === undefined ? summary : `values of these kinds do not go together: ${values}`;
}

const bounds: Readonly<Record<string, (most: string) => string>> = {
  maxAstNodes: (most) => `an expression has at most ${most} parts`,
  maxDepth: (most) => `an expression is nested at most ${most} deep`,
  maxListElements: (most) => `a list in an expression has at most ${most} entries`,
  maxMapEntries: (most) => `a map in an expression has at most ${most} entries`,
  maxCallArguments: (most) => `a call in an expression has at most ${most} arguments`,
};
