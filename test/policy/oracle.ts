import type { DecidingRule, Effect, Question } from "../../src/policy/index.js";

/**
 * A second, naive evaluation of the same rules: no index, no CEL, no order of work, written from the specification alone.
 * Conditions are trees of our own, which the generator also prints as CEL.
 */
export type Tree =
  | { readonly is: "literal"; readonly value: boolean }
  | { readonly is: "and" | "or"; readonly of: readonly [Tree, Tree] }
  | { readonly is: "not"; readonly of: Tree }
  | { readonly is: "role" | "team" | "action"; readonly value: string }
  | { readonly is: "label"; readonly name: string; readonly value: string }
  | {
      readonly is: "context";
      readonly name: string;
      readonly compare: "<" | ">" | "==";
      readonly value: number;
    }
  | { readonly is: "has"; readonly name: string }
  | {
      readonly is: "list";
      readonly name: string;
      readonly quantifier: "exists" | "all";
      readonly above: number;
    }
  | { readonly is: "count"; readonly name: string; readonly above: number }
  | { readonly is: "unverified"; readonly above: number };

export interface OracleRule {
  readonly id: string;
  readonly actions: readonly string[];
  readonly except: readonly string[];
  readonly resources: readonly string[] | undefined;
  readonly when: Tree | undefined;
  readonly effect: Effect;
  readonly priority: number;
  readonly shadow: boolean;
  readonly obligations: readonly string[];
}

export interface OracleSet {
  readonly otherwise: Effect;
  readonly unknown: Effect;
  readonly vocabulary: readonly string[];
  readonly rules: readonly OracleRule[];
  readonly counters: readonly { readonly name: string; readonly actions: readonly string[] }[];
  readonly limits: readonly {
    readonly id: string;
    readonly actions: readonly string[];
    readonly when: Tree | undefined;
  }[];
}

export interface Expected {
  readonly effect: Effect;
  readonly rules: readonly Pick<DecidingRule, "id" | "effect" | "failed">[];
  readonly shadow: readonly { readonly id: string; readonly effect: Effect }[];
  readonly obligations: readonly string[];
  readonly known: boolean;
}

const strictness = { allow: 0, require_approval: 1, deny: 2 } as const;

export function print(tree: Tree): string {
  switch (tree.is) {
    case "literal":
      return String(tree.value);
    case "and":
      return `(${print(tree.of[0])} && ${print(tree.of[1])})`;
    case "or":
      return `(${print(tree.of[0])} || ${print(tree.of[1])})`;
    case "not":
      return `!(${print(tree.of)})`;
    case "role":
    case "team":
      return `agent.${tree.is} == "${tree.value}"`;
    case "action":
      return `action == "${tree.value}"`;
    case "label":
      return `agent.labels.${tree.name} == "${tree.value}"`;
    case "context":
      return `context.${tree.name} ${tree.compare} ${tree.value}`;
    case "has":
      return `has(context.${tree.name})`;
    case "list":
      return `context.${tree.name}.${tree.quantifier}(x, x > ${tree.above})`;
    case "count":
      return `counts.${tree.name} > ${tree.above}`;
    case "unverified":
      return `size(reads.unverified) > ${tree.above}`;
  }
}

/** True, false, or undefined where it cannot be decided: an operator decides as soon as one side is enough. */
export function evaluate(tree: Tree, question: Question): boolean | undefined {
  switch (tree.is) {
    case "literal":
      return tree.value;
    case "and":
    case "or": {
      const enough = tree.is === "or";
      const sides = tree.of.map((side) => evaluate(side, question));
      if (sides.includes(enough)) return enough;
      return sides.includes(undefined) ? undefined : !enough;
    }
    case "not": {
      const inner = evaluate(tree.of, question);
      return inner === undefined ? undefined : !inner;
    }
    case "role":
    case "team":
      return question.agent[tree.is] === tree.value;
    case "action":
      return question.action === tree.value;
    case "label":
      return tree.name in question.agent.labels ? question.agent.labels[tree.name] === tree.value : undefined;
    case "context": {
      const value = question.context[tree.name];
      // What has another type is not equal, and cannot be compared.
      if (tree.compare === "==") return value === undefined ? undefined : value === tree.value;
      if (typeof value !== "number") return undefined;
      return tree.compare === "<" ? value < tree.value : value > tree.value;
    }
    case "has":
      return question.context[tree.name] !== undefined;
    case "list": {
      const list = question.context[tree.name];
      if (!Array.isArray(list)) return undefined;
      const enough = tree.quantifier === "exists";
      const each = list.map((one: unknown) => (typeof one === "number" ? one > tree.above : undefined));
      if (each.includes(enough)) return enough;
      return each.includes(undefined) ? undefined : !enough;
    }
    case "count":
      return (question.counts[tree.name] ?? 0) > tree.above;
    case "unverified":
      return question.reads.unverified.length > tree.above;
  }
}

/** Tries every way in which wildcards can stand for levels. */
export function matches(pattern: string, name: string, separator: string): boolean {
  if (pattern === "*" || pattern === "**") return true;
  const try_ = (levels: readonly string[], names: readonly string[]): boolean => {
    const [level, ...rest] = levels;
    if (level === undefined) return names.length === 0;
    if (level === "**") return names.some((_, n) => try_(rest, names.slice(n))) || try_(rest, []);
    return names.length > 0 && fits(level, names[0]!) && try_(rest, names.slice(1));
  };
  return try_(pattern.split(separator), name.split(separator));
}

function fits(level: string, name: string): boolean {
  if (level === "") return name === "";
  if (level[0] === "*") return fits(level.slice(1), name) || (name !== "" && fits(level, name.slice(1)));
  return name !== "" && level[0] === name[0] && fits(level.slice(1), name.slice(1));
}

/** Whether a pattern means all that another one does: a wildcard is met by a wildcard alone. */
function covers(pattern: string, asked: string): boolean {
  if (pattern === "*" || pattern === "**") return true;
  const try_ = (levels: readonly string[], names: readonly string[]): boolean => {
    const [level, ...rest] = levels;
    if (level === undefined) return names.length === 0;
    if (level === "**") return names.some((_, n) => try_(rest, names.slice(n))) || try_(rest, []);
    return names.length > 0 && names[0] !== "**" && fits(level, names[0]!) && try_(rest, names.slice(1));
  };
  return try_(pattern.split("/"), asked === "*" ? ["**"] : asked.split("/"));
}

/** Whether two patterns have a name in common, by every way in which the wildcards of both can stand for something. */
function meets(pattern: string, asked: string): boolean {
  if ([pattern, asked].some((one) => one === "*" || one === "**")) return true;
  const wholly = (one: readonly string[], any: string): boolean => one.every((part) => part === any);
  const try_ = (one: readonly string[], other: readonly string[], any: string): boolean => {
    if (one.length === 0) return wholly(other, any);
    if (other.length === 0) return wholly(one, any);
    const [a, b] = [one[0]!, other[0]!];
    if (a === any || b === any) return try_(one.slice(1), other, any) || try_(one, other.slice(1), any);
    const equal = any === "**" ? try_([...a], [...b], "*") : a === b;
    return equal && try_(one.slice(1), other.slice(1), any);
  };
  return try_(pattern.split("/"), asked.split("/"), "**");
}

const means = (rule: OracleRule, resource: string): boolean =>
  !rule.resources ||
  rule.resources.some((one) => {
    if (!resource.includes("*")) return matches(one, resource, "/");
    return rule.effect === "allow" ? covers(one, resource) : meets(one, resource);
  });

const speaksOf = (actions: readonly string[], except: readonly string[], action: string): boolean =>
  actions.some((one) => matches(one, action, ".")) && !except.some((one) => matches(one, action, "."));

export function expected(set: OracleSet, question: Question, isNear: boolean): Expected {
  const outcomes = set.rules
    .map((rule, at) => ({ rule, at }))
    .sort((one, other) => other.rule.priority - one.rule.priority || one.at - other.at)
    .map(({ rule }) => rule)
    .filter((rule) => speaksOf(rule.actions, rule.except, question.action))
    .filter((rule) => means(rule, question.resource))
    .flatMap((rule) => {
      const holds = rule.when ? evaluate(rule.when, question) : true;
      if (holds === true) return [{ rule, effect: rule.effect, failed: false }];
      if (holds === undefined && rule.effect !== "allow")
        return [{ rule, effect: "deny" as const, failed: true }];
      return [];
    });
  const real = outcomes.filter(({ rule }) => !rule.shadow);
  const known = isKnown(set, question.action);
  const fallback = known ? set.otherwise : isNear ? "deny" : set.unknown;
  const isPattern = question.resource.includes("*");
  const spokenOf = real.some(
    ({ rule }) =>
      !rule.resources || !isPattern || rule.resources.some((one) => covers(one, question.resource)),
  );
  const candidates = real.map(({ effect }) => effect).concat(known && spokenOf ? [] : [fallback]);
  const effect = candidates.reduce((one, other) => (strictness[other] > strictness[one] ? other : one));
  const deciding = real.filter((one) => one.effect === effect);
  const obliging = effect === "deny" ? deciding : real;
  return {
    effect,
    rules: deciding.map(({ rule, effect: its, failed }) => ({
      id: rule.id,
      effect: its,
      ...(failed && { failed }),
    })),
    shadow: outcomes
      .filter(({ rule }) => rule.shadow)
      .map(({ rule, effect: its }) => ({ id: rule.id, effect: its })),
    obligations: [...new Set(obliging.flatMap(({ rule }) => rule.obligations))],
    known,
  };
}

function isKnown(set: OracleSet, action: string): boolean {
  const scopes = [
    ...set.rules,
    ...set.limits.map((one) => ({ ...one, except: [] })),
    ...askedCounters(set).map((one) => ({ ...one, except: [] })),
  ];
  return (
    set.vocabulary.includes(action) ||
    scopes.some(({ actions, except }) =>
      actions.some(
        (one) =>
          one !== "*" &&
          one !== "**" &&
          matches(one, action, ".") &&
          !except.some((not) => matches(not, action, ".")),
      ),
    ) ||
    [...set.rules, ...set.limits, ...set.counters].some(({ actions }) => actions.includes(action))
  );
}

const namesIn = (tree: Tree | undefined): readonly string[] => {
  if (!tree) return [];
  if (tree.is === "count") return [tree.name];
  if (tree.is === "not") return namesIn(tree.of);
  return tree.is === "and" || tree.is === "or" ? tree.of.flatMap(namesIn) : [];
};

const askedCounters = (set: OracleSet): OracleSet["counters"] =>
  set.counters.filter(({ name }) => set.rules.some((rule) => namesIn(rule.when).includes(name)));

/** Counters that matter, in their order, and whether they count. */
export function expectedCounters(
  set: OracleSet,
  action: string,
): readonly (readonly [name: string, counts: boolean])[] {
  const asked = new Set(
    set.rules
      .filter((rule) => speaksOf(rule.actions, rule.except, action))
      .flatMap((rule) => namesIn(rule.when)),
  );
  return askedCounters(set)
    .map(({ name, actions }) => [name, speaksOf(actions, [], action)] as const)
    .filter(([name, counts]) => counts || asked.has(name));
}

export function expectedLimits(set: OracleSet, question: Question): readonly string[] {
  return set.limits
    .filter(({ actions }) => speaksOf(actions, [], question.action))
    .filter(({ when }) => !when || evaluate(when, question) !== false)
    .map(({ id }) => id);
}
