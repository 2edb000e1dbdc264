import { isAnything } from "./asked-resource.js";
import { actionLevels, actionMatcher, type Matcher } from "./name-pattern.js";

/** What a rule, a limit or a counter speaks of. */
export interface Scope {
  readonly actions: readonly string[];
  readonly except?: readonly string[] | undefined;
}

/** Finds what speaks of an action, without looking at all there is: most name the action, or its first level. */
export class ByAction<Entry extends { readonly scope: Scope; readonly position: number }> {
  readonly #exact = new Map<string, Indexed<Entry>[]>();
  readonly #byRoot = new Map<string, Indexed<Entry>[]>();
  readonly #anyRoot: Indexed<Entry>[] = [];

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) {
      const except = (entry.scope.except ?? []).map(actionMatcher);
      for (const pattern of new Set(entry.scope.actions)) {
        const indexed = { entry, except, matches: actionMatcher(pattern), broad: isAnything(pattern) };
        const root = actionLevels(pattern)[0]!;
        if (!pattern.includes("*")) add(this.#exact, pattern, indexed);
        else if (root.includes("*")) this.#anyRoot.push(indexed);
        else add(this.#byRoot, root, indexed);
      }
    }
  }

  /** In the order of their positions, each once. */
  of(action: string): readonly Entry[] {
    return [...new Set(this.#find(action).map(({ entry }) => entry))].sort(
      (one, other) => one.position - other.position,
    );
  }

  /** Whether anything speaks of the action by name, or by a pattern that does not stand for everything. */
  knows(action: string): boolean {
    return this.#find(action).some(({ broad }) => !broad);
  }

  #find(action: string): readonly Indexed<Entry>[] {
    const levels = actionLevels(action);
    return [
      ...(this.#exact.get(action) ?? []),
      ...(this.#byRoot.get(levels[0]!) ?? []).filter(({ matches }) => matches(levels)),
      ...this.#anyRoot.filter(({ matches }) => matches(levels)),
    ].filter(({ except }) => !except.some((matches) => matches(levels)));
  }
}

interface Indexed<Entry> {
  readonly entry: Entry;
  readonly matches: Matcher;
  readonly except: readonly Matcher[];
  /** Whether the pattern stands for everything. */
  readonly broad: boolean;
}

function add<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const values = map.get(key);
  if (values) values.push(value);
  else map.set(key, [value]);
}
