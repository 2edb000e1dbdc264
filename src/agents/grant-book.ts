import type { Action, Role } from "../identity/index.js";
import type { Grant } from "./grant.js";
import { LockGrants, lockPrefix } from "./lock-grants.js";
import { isAnyLock } from "./resource-kinds.js";

/** Patterns of topics by their levels. A grant stands where its pattern ends. */
interface Level {
  readonly grants: Grant[];
  readonly below: Map<string, Level>;
}

/** What is granted to one who for one action, by the resource it speaks of. */
interface Shelf {
  readonly exact: Map<string, Grant[]>;
  readonly topics: Level;
  readonly locks: LockGrants;
}

const topicPrefix = "topic:";
const statePrefix = "state:";

/**
 * The grants of a namespace, arranged by who, action and resource, so that a decision looks only at those that speak of
 * it: what it costs does not grow with the number of the others.
 */
export class GrantBook {
  /** who → action → what is said of it */
  readonly #shelves = new Map<string, Map<string, Shelf>>();

  constructor(grants: readonly Grant[]) {
    for (const grant of grants) this.#put(grant);
  }

  /**
   * Every grant that speaks of this, live or not. A resource may be a pattern of topics: then those that mean all of it. Of a
   * pattern of locks a deny speaks that means some of it, and an allow that means all of it.
   */
  about(agent: string, roles: readonly Role[], action: Action, resource: string): readonly Grant[] {
    const found: Grant[] = [];
    for (const { exact, topics, locks } of this.#shelvesOf(agent, roles, action)) {
      for (const name of namesOf(resource)) found.push(...(exact.get(name) ?? []));
      if (topics.below.size > 0 && resource.startsWith(topicPrefix))
        collect(topics, resource.slice(topicPrefix.length).split("."), 0, found, new Map());
      if (resource.startsWith(lockPrefix)) found.push(...locks.about(resource));
      else if (isAnyLock(action, resource)) found.push(...locks.aboutAll());
    }
    return found;
  }

  /** Every grant that speaks of this action, whatever the resource. */
  *of(agent: string, roles: readonly Role[], action: Action): Generator<Grant> {
    for (const { exact, topics, locks } of this.#shelvesOf(agent, roles, action)) {
      for (const grants of exact.values()) yield* grants;
      yield* allOf(topics);
      yield* locks.all();
    }
  }

  #shelvesOf(agent: string, roles: readonly Role[], action: Action): readonly Shelf[] {
    if (this.#shelves.size === 0) return [];
    const room = `${action.slice(0, action.indexOf("."))}.*`;
    const shelves: Shelf[] = [];
    for (const who of ["*", agent, ...roles.map((role) => `role:${role}`)]) {
      const said = this.#shelves.get(who);
      if (!said) continue;
      for (const what of ["*", room, action]) {
        const shelf = said.get(what);
        if (shelf) shelves.push(shelf);
      }
    }
    return shelves;
  }

  #put(grant: Grant): void {
    const said = this.#shelves.get(grant.who) ?? new Map<string, Shelf>();
    this.#shelves.set(grant.who, said);
    const shelf = said.get(grant.action) ?? newShelf();
    said.set(grant.action, shelf);
    if (grant.resource.startsWith(topicPrefix)) {
      let level = shelf.topics;
      for (const name of grant.resource.slice(topicPrefix.length).split(".")) {
        const next = level.below.get(name) ?? newLevel();
        level.below.set(name, next);
        level = next;
      }
      level.grants.push(grant);
    } else if (grant.resource.startsWith(lockPrefix)) shelf.locks.put(grant);
    else {
      const grants = shelf.exact.get(grant.resource);
      if (grants) grants.push(grant);
      else shelf.exact.set(grant.resource, [grant]);
    }
  }
}

function newShelf(): Shelf {
  return { exact: new Map(), topics: newLevel(), locks: new LockGrants() };
}

function newLevel(): Level {
  return { grants: [], below: new Map() };
}

function* allOf(level: Level): Generator<Grant> {
  yield* level.grants;
  for (const next of level.below.values()) yield* allOf(next);
}

/** The resources other than topics under which a grant that speaks of this one can stand. */
function namesOf(resource: string): readonly string[] {
  if (resource === "*") return ["*"];
  if (resource.startsWith("queue:")) return ["*", resource, "queue:*"];
  if (resource.startsWith(statePrefix)) return ["*", "state:*", ...keysAbove(resource)];
  // Whatever is not an agent says what it is before a colon.
  if (resource === "everyone" || resource.includes(":")) return ["*", resource];
  return ["*", resource, "agent:*"];
}

/** A key of shared state and those above it: what is said of a key holds for those below. */
function keysAbove(resource: string): readonly string[] {
  const keys = [resource];
  for (let end = resource.lastIndexOf("/"); end > 0; end = resource.lastIndexOf("/", end - 1))
    keys.push(resource.slice(0, end));
  return keys;
}

/**
 * Grants whose pattern means the topic or one above it: what is said of a topic holds for those below. Where the topic is
 * itself a pattern, one level means one level, so `*` in a grant does not mean all of `**`.
 *
 * @param visited for each level, a bit for each place in the topic that was tried there: bounds the work of `**`
 */
function collect(
  level: Level,
  names: readonly string[],
  at: number,
  found: Grant[],
  visited: Map<Level, number>,
): void {
  const tried = visited.get(level) ?? 0;
  if (tried & (1 << at)) return;
  if (tried === 0) found.push(...level.grants);
  visited.set(level, tried | (1 << at));
  const any = level.below.get("**");
  if (any) for (let end = at; end <= names.length; end++) collect(any, names, end, found, visited);
  if (at === names.length) return;
  const name = names[at]!;
  const same = name === "**" ? undefined : level.below.get(name);
  if (same) collect(same, names, at + 1, found, visited);
  const one = name === "**" ? undefined : level.below.get("*");
  if (one && one !== same) collect(one, names, at + 1, found, visited);
}
