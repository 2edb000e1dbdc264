import { type AskedResource, askedResource } from "./asked-resource.js";
import { LeftOut } from "./left-out.js";
import type { Question } from "./question.js";
import { type Meant, meantBy } from "./resource-names.js";
import { Undecidable } from "./undecidable.js";
import type { Work } from "./work.js";

/** What a context may hold; the face that takes it is narrower. */
export const maxContextCharacters = 64 * 1024;
export const maxContextValues = 10_000;
export const maxContextDepth = 32;

/** An agent as conditions see it. */
export class AgentValue {
  readonly name: string;
  readonly role: string;
  readonly roles: readonly string[];
  readonly team: string;
  readonly verified: boolean;
  readonly #labels: Readonly<Record<string, string>>;
  #labelMap: ReadonlyMap<string, string> | undefined;

  constructor(agent: Question["agent"]) {
    this.name = agent.name;
    this.role = agent.role;
    this.roles = agent.roles;
    this.team = agent.team;
    this.verified = agent.verified;
    this.#labels = agent.labels;
  }

  get labels(): ReadonlyMap<string, string> {
    this.#labelMap ??= new Map(Object.entries(this.#labels));
    return this.#labelMap;
  }
}

/** Whose messages were read, as conditions see it. */
export class ReadsValue {
  readonly unverified: readonly string[];
  readonly foreign: readonly string[];

  constructor(reads: Question["reads"]) {
    this.unverified = reads.unverified;
    this.foreign = reads.foreign;
  }
}

/** What the conditions of one decision are given; each part is made when the first condition asks for it. */
export class Given {
  readonly #question: Question;
  readonly #countsOf: (counts: Question["counts"]) => object;
  readonly action: string;
  /** What a condition sees: while it is asked about another name of the same question, that. */
  resource: string;
  #askedResource: AskedResource | undefined;
  readonly #meant: (readonly Meant[] | undefined)[] = [];
  #agent: AgentValue | undefined;
  #context: ReadonlyMap<string, unknown> | undefined;
  #counts: object | undefined;
  #reads: ReadsValue | undefined;
  #now: Date | undefined;

  constructor(
    question: Question,
    action: string,
    resource: string,
    countsOf: (counts: Question["counts"]) => object,
  ) {
    this.#question = question;
    this.action = action;
    this.resource = resource;
    this.#countsOf = countsOf;
  }

  get askedResource(): AskedResource {
    this.#askedResource ??= askedResource(this.#question.resource, this.resource, this.action);
    return this.#askedResource;
  }

  /**
   * What is asked about: first by the name that was given, then by what it may be called besides. Made once, and paid for.
   *
   * @param isFolder whether what lies in it is meant too
   * @throws {Undecidable} where that costs too much
   */
  meant(isFolder: boolean, work: Work): readonly Meant[] {
    this.#meant[Number(isFolder)] ??= meantBy(this.askedResource, this.resource, isFolder, work);
    return this.#meant[Number(isFolder)]!;
  }

  get agent(): AgentValue {
    this.#agent ??= new AgentValue(this.#question.agent);
    return this.#agent;
  }

  get context(): ReadonlyMap<string, unknown> {
    this.#context ??= contextOf(this.#question.context);
    return this.#context;
  }

  get counts(): object {
    this.#counts ??= this.#countsOf(this.#question.counts);
    return this.#counts;
  }

  get reads(): ReadsValue {
    this.#reads ??= new ReadsValue(this.#question.reads);
    return this.#reads;
  }

  get now(): Date {
    this.#now ??= new Date(this.#question.nowMs);
    return this.#now;
  }
}

/** What is wrong with a context, in words that end a sentence; undefined for one that conditions can be asked about. */
export function contextProblem(context: Readonly<Record<string, unknown>>): string | undefined {
  try {
    contextOf(context);
    return undefined;
  } catch (error) {
    if (error instanceof Undecidable) return error.why;
    throw error;
  }
}

/** Whether that it is nested too deep is what is wrong with a context. */
export function isNestedTooDeep(context: Readonly<Record<string, unknown>>): boolean {
  return readContext(context) === tooDeep;
}

/** What a context was read as, or why it was not: one question is looked at several times, and is not changed. */
const read = new WeakMap<object, ReadonlyMap<string, unknown> | Undecidable>();

function contextOf(context: Readonly<Record<string, unknown>>): ReadonlyMap<string, unknown> {
  const found = readContext(context);
  if (found instanceof Undecidable) throw found;
  return found;
}

function readContext(context: Readonly<Record<string, unknown>>): ReadonlyMap<string, unknown> | Undecidable {
  let found = read.get(context);
  if (!found) {
    try {
      found = contextMap(context);
    } catch (error) {
      if (!(error instanceof Undecidable)) throw error;
      found = error;
    }
    read.set(context, found);
  }
  return found;
}

/** The same context with other names in one of its arguments; what else it holds is not read anew for each of them. */
export function withArgument(
  context: Readonly<Record<string, unknown>>,
  argument: string,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  const other = { ...context, arguments: { ...(context.arguments as object), [argument]: names } };
  const whole = readContext(context);
  if (whole instanceof Undecidable) {
    read.set(other, whole);
    return other;
  }
  const given = new Map(whole.get("arguments") as ReadonlyMap<string, unknown>);
  read.set(other, new Map(whole).set("arguments", given.set(argument, names)));
  return other;
}

/**
 * Objects become maps, in which `constructor` and `__proto__` are names like others; numbers stay numbers.
 *
 * @throws {Undecidable} where it is larger or deeper than allowed, or holds what JSON cannot say
 */
function contextMap(context: Readonly<Record<string, unknown>>): ReadonlyMap<string, unknown> {
  let values = 0;
  let characters = 0;
  const grow = (text: string): string => {
    characters += text.length;
    if (characters > maxContextCharacters) throw tooLong;
    return text;
  };
  const convert = (value: unknown, depth: number): unknown => {
    if (++values > maxContextValues) throw tooMany;
    switch (typeof value) {
      case "string":
        return grow(value);
      case "boolean":
        return value;
      case "number":
        if (!Number.isFinite(value)) throw notJson;
        return value;
      case "object":
        break;
      default:
        throw notJson;
    }
    if (value === null || value instanceof LeftOut) return value;
    if (depth >= maxContextDepth) throw tooDeep;
    if (Array.isArray(value)) {
      if (values + value.length > maxContextValues) throw tooMany;
      return Array.from(value, (one) => convert(one ?? null, depth + 1));
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) throw notJson;
    const names = Object.keys(value);
    if (values + names.length > maxContextValues) throw tooMany;
    const map = new Map<string, unknown>();
    for (const name of names) {
      const inner = (value as Record<string, unknown>)[name];
      if (inner !== undefined) map.set(grow(name), convert(inner, depth + 1));
    }
    return map;
  };
  return convert(context, 0) as ReadonlyMap<string, unknown>;
}

const less = "Ask again with less in the context.";
const tooLong = new Undecidable(`the context has more than ${maxContextCharacters} characters`, less);
const tooMany = new Undecidable(`the context has more than ${maxContextValues} values`, less);
const tooDeep = new Undecidable(`the context is nested more than ${maxContextDepth} deep`, less);
const notJson = new Undecidable(
  "the context holds what JSON cannot say",
  "Ask again with JSON in the context.",
);
