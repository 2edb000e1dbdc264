import { actionLevels, actionMatcher, isAnything, type Matcher } from "./name-pattern.js";

/** What a rule, a limit or a counter speaks of. */
export interface Scope {
  readonly actions: readonly string[];
  readonly except?: readonly string[] | undefined;
}

/** Finds what speaks of an action, without looking at all there is: most name the action, or its first level. */
export class ByAction<Entry extends { readonly scope: Scope; readonly position: number }> {
  readonly #exact = new Map<string, Entry[]>();
  readonly #byRoot = new Map<string, Patterned<Entry>[]>();
  readonly #anyRoot: Patterned<Entry>[] = [];
  readonly #found = new Map<string, readonly Entry[]>();

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) {
      for (const pattern of new Set(entry.scope.actions)) {
        if (!pattern.includes("*")) add(this.#exact, pattern, entry);
        else {
          const root = actionLevels(pattern)[0]!;
          const patterned = { entry, matches: actionMatcher(pattern) };
          if (root.includes("*")) this.#anyRoot.push(patterned);
          else add(this.#byRoot, root, patterned);
        }
      }
    }
  }

  /** In the order of their positions, each once. */
  of(action: string): readonly Entry[] {
    const remembered = this.#found.get(action);
    if (remembered) return remembered;
    const found = this.#find(action);
    // Names come from callers: what is remembered is bounded, and what is not remembered costs a little more.
    if (this.#found.size >= maxRemembered) this.#found.clear();
    this.#found.set(action, found);
    return found;
  }

  #find(action: string): readonly Entry[] {
    const levels = actionLevels(action);
    const found = new Set(this.#exact.get(action));
    for (const { entry, matches } of this.#byRoot.get(levels[0]!) ?? [])
      if (matches(levels)) found.add(entry);
    for (const { entry, matches } of this.#anyRoot) if (matches(levels)) found.add(entry);
    return [...found]
      .filter(({ scope }) => !scope.except?.some((pattern) => actionMatcher(pattern)(levels)))
      .sort((one, other) => one.position - other.position);
  }
}

const maxRemembered = 1_000;

/** Whether the scope speaks of the action by name, or by a pattern that does not stand for everything. */
export function knows(scope: Scope, action: string): boolean {
  const levels = actionLevels(action);
  if (scope.except?.some((pattern) => actionMatcher(pattern)(levels))) return false;
  return scope.actions.some((pattern) => !isAnything(pattern) && actionMatcher(pattern)(levels));
}

interface Patterned<Entry> {
  readonly entry: Entry;
  readonly matches: Matcher;
}

function add<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const values = map.get(key);
  if (values) values.push(value);
  else map.set(key, [value]);
}
