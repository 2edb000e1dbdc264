import { refuse } from "../errors/index.js";
import type { Admit, Caller, RecordDecision, Rights, RightsOf } from "../identity/index.js";
import {
  directoryKeys,
  type Hints,
  KeyLists,
  loadScript,
  type Reply,
  type Script,
  type Store,
  topicRootKeyList,
  topicRootKeys,
} from "../redis/index.js";
import { type TopicLimits, topicLimits } from "./limits.js";

const registerScript = loadScript(import.meta.url, "register-root.lua");

export interface TopicDependencies {
  readonly store: Store;
  readonly hints: Hints;
  readonly admit: Admit;
  readonly rightsOf: RightsOf;
  readonly record: RecordDecision;
  readonly limits?: Partial<TopicLimits>;
}

/** The topics room's own state in this process: its dependencies and which roots it knows to be registered. */
export class TopicContext {
  readonly store: Store;
  readonly hints: Hints;
  readonly limits: TopicLimits;
  readonly admit: Admit;
  readonly rightsOf: RightsOf;
  readonly record: RecordDecision;
  readonly #keyLists = new KeyLists(topicRootKeys, topicRootKeyList);
  readonly #registered = new Set<string>();

  constructor(deps: TopicDependencies) {
    this.store = deps.store;
    this.hints = deps.hints;
    this.admit = deps.admit;
    this.rightsOf = deps.rightsOf;
    this.record = deps.record;
    this.limits = { ...topicLimits, ...deps.limits };
  }

  /** Runs a script that takes a topic root, and perhaps further keys of it. */
  run(
    namespace: string,
    root: string,
    script: Script,
    further: readonly string[],
    args: readonly (string | number)[],
  ): Promise<Reply> {
    const keys = this.#keyLists.of(namespace, root);
    return this.store.run(script, further.length === 0 ? keys : [...keys, ...further], args);
  }

  /** Writes the root into the directory before its first use, so that nothing in it can go unnoticed. */
  async registerRoot(namespace: string, root: string): Promise<void> {
    const place = `${namespace} ${root}`;
    if (this.#registered.has(place)) return;
    const keys = directoryKeys(namespace);
    await this.store.run(registerScript, [keys.roots, keys.channel], [root]);
    if (this.#registered.size > 10_000) this.#registered.clear();
    this.#registered.add(place);
  }

  /** The roots of a namespace and their numbers in the order of first use. */
  async roots(namespace: string): Promise<ReadonlyMap<string, number>> {
    const flat = await this.store.command("HGETALL", directoryKeys(namespace).roots);
    return parseRoots(flat);
  }
}

export function parseRoots(flat: unknown): ReadonlyMap<string, number> {
  const roots = new Map<string, number>();
  if (Array.isArray(flat))
    for (let n = 0; n < flat.length; n += 2) roots.set(String(flat[n]), Number(flat[n + 1]));
  else for (const [root, number] of Object.entries(flat ?? {})) roots.set(root, Number(number));
  return roots;
}

/** Whether access lists of topics do not bind a caller with these rights. */
export function isUnbound({ roles }: Rights): boolean {
  return roles.includes("admin");
}

export function denied(caller: Caller, action: string, topic: string): never {
  refuse("access.denied", { principal: caller.principal.agent, action, resource: `topic:${topic}` });
}
