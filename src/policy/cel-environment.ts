import { TypeError as CelTypeError, Environment, EvaluationError, ParseError } from "@marcbachmann/cel-js";
import { AgentValue, ReadsValue } from "./given.js";
import type { Patterns } from "./patterns.js";
import { zonedPart, zonedParts } from "./zoned-time.js";

export const maxNodes = 300;
const limits = {
  maxAstNodes: maxNodes,
  maxDepth: 30,
  maxListElements: 200,
  maxMapEntries: 100,
  maxCallArguments: 8,
};

export const agentFields = {
  name: "string",
  role: "string",
  roles: "list<string>",
  team: "string",
  labels: "map<string, string>",
  verified: "bool",
} as const;

export const readsFields = { unverified: "list<string>", foreign: "list<string>" } as const;

/** Functions and macros that an expression may use; what is not here has no bound, or no use. */
export const functions: ReadonlySet<string> = new Set([
  ...["has", "all", "exists", "exists_one", "filter", "map"],
  ...["size", "type", "dyn", "bool", "int", "double", "string", "timestamp", "duration"],
  ...["matches", "contains", "startsWith", "endsWith", "lowerAscii", "upperAscii", "trim"],
  ...["indexOf", "lastIndexOf", "substring", "split", "join"],
  ...zonedParts,
]);

/** What an expression is checked against. */
export interface ConditionScope {
  readonly environment: Environment;
  /** Variable → its fields, where it has a closed list of them. */
  readonly fields: Readonly<Record<string, readonly string[]>>;
  readonly variables: readonly string[];
  readonly patterns: Patterns;
  /** What counts become before expressions see them: whole numbers, 0 for what was not counted. */
  countsOf(counts: Readonly<Record<string, number>>): object;
}

let base: Environment | undefined;

/** The variables but for `counts`, which limits may not ask for: what they hold does not depend on what is counted. */
function baseEnvironment(): Environment {
  if (base) return base;
  const environment = new Environment({ limits, homogeneousAggregateLiterals: false })
    .registerType("Agent", { ctor: AgentValue, fields: { ...agentFields } })
    .registerType("Reads", { ctor: ReadsValue, fields: { ...readsFields } })
    .registerVariable("agent", "Agent")
    .registerVariable("action", "string")
    .registerVariable("resource", "string")
    .registerVariable("context", "map<string, dyn>")
    .registerVariable("reads", "Reads")
    .registerVariable("now", "google.protobuf.Timestamp");
  withNumbers(environment);
  const sync = { async: false };
  for (const part of zonedParts)
    environment.registerFunction(
      `google.protobuf.Timestamp.zoned_${part}(string): int`,
      (at: Date, zone: string) => zonedPart(at, zone, part),
      sync,
    );
  base = environment;
  return environment;
}

/**
 * Numbers of a context come from JSON, which has one kind of them, while CEL tells whole numbers from fractions: with
 * these, `context.cost + 1` and `context.count % 2 == 0` are what their author means.
 */
function withNumbers(environment: Environment): void {
  const mixed = [
    ["int", "double"],
    ["double", "int"],
  ] as const;
  type Count = (a: number, b: number) => number;
  const operators: Readonly<Record<string, Count>> = {
    "+": (a, b) => a + b,
    "-": (a, b) => a - b,
    "*": (a, b) => a * b,
    "/": (a, b) => a / b,
    "%": (a, b) => a % b,
  };
  for (const [operator, count] of Object.entries(operators)) {
    const pairs = operator === "%" ? [...mixed, ["double", "double"] as const] : mixed;
    for (const [left, right] of pairs)
      environment.registerOperator(`${left} ${operator} ${right}: double`, (a: unknown, b: unknown) =>
        count(Number(a), Number(b)),
      );
  }
}

/** Where the conditions of limits are checked. */
export function limitScope(patterns: Patterns): ConditionScope {
  return {
    environment: withPatterns(patterns),
    fields: { agent: Object.keys(agentFields), reads: Object.keys(readsFields) },
    variables: ["agent", "action", "resource", "context", "reads", "now"],
    patterns,
    countsOf: () => ({}),
  };
}

/** Where the conditions of rules are checked: the counters of the rule set are fields of `counts`. */
export function ruleScope(counters: readonly string[], patterns: Patterns): ConditionScope {
  class CountsValue {
    constructor(counts: Readonly<Record<string, number>>) {
      for (const name of counters)
        Object.defineProperty(this, name, {
          value: BigInt(Object.hasOwn(counts, name) ? Math.floor(counts[name]!) : 0),
        });
    }
  }
  const { fields, variables } = limitScope(patterns);
  return {
    environment: withPatterns(patterns)
      .registerType("Counts", {
        ctor: CountsValue,
        fields: Object.fromEntries(counters.map((name) => [name, "int"])),
      })
      .registerVariable("counts", "Counts"),
    fields: { ...fields, counts: counters },
    variables: [...variables, "counts"],
    patterns,
    countsOf: (counts) => new CountsValue(counts),
  };
}

/** Under a name of its own: the library's `matches` is there already, and goes back. */
function withPatterns(patterns: Patterns): Environment {
  const matches = (text: string, pattern: string): boolean => patterns.matches(text, pattern);
  return baseEnvironment()
    .clone()
    .registerFunction("string.re2(string): bool", matches, { async: false })
    .registerFunction("re2(string, string): bool", matches, { async: false });
}

/** Whether the library says something of the expression, and not of itself. */
export function isCelError(error: unknown): error is ParseError | CelTypeError | EvaluationError {
  return error instanceof ParseError || error instanceof CelTypeError || error instanceof EvaluationError;
}
