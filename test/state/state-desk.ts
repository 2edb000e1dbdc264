import { Access } from "../../src/agents/index.js";
import { refuse } from "../../src/errors/index.js";
import { type Caller, localPrincipal, operatorPrincipal, type RunId } from "../../src/identity/index.js";
import { Hints, Store, stateGroupKeys } from "../../src/redis/index.js";
import {
  defaultStateLimits,
  GroupKeeper,
  getState,
  type LeaseOf,
  listVersions,
  type PutState,
  type PutStateResult,
  putState,
  StateContext,
  type StateEntry,
  type StateLimits,
  type StatePage,
  watchState,
} from "../../src/state/index.js";
import { patientMs } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

/** Shared state of one process on a test store, in a namespace of its own, with short words for what tests do. */
export class StateDesk {
  readonly context: StateContext;
  readonly access: Access;
  readonly store: Store;
  readonly namespace: string;
  /** What the locks room would say; nobody holds anything unless a test says so. */
  leaseOf: LeaseOf = () => Promise.resolve(refuse("lock.stale_token", { done: "written" }));
  readonly #hints: Hints;
  readonly #keeper: GroupKeeper;

  constructor(store: Store, hints: Hints, namespace: string, limits: Partial<StateLimits>) {
    this.store = store;
    this.#hints = hints;
    this.namespace = namespace;
    this.access = new Access({ store, hints });
    this.context = new StateContext({
      ...{ store, hints },
      limits: { ...defaultStateLimits, ...limits },
      admit: (caller, action, resource) => this.access.admit(caller, action, resource),
      rightsOf: (caller) => this.access.rightsOf(caller),
      record: async () => {},
      leaseOf: (...asked) => this.leaseOf(...asked),
    });
    this.#keeper = new GroupKeeper(this.context);
  }

  static async open(
    url: string,
    limits: Partial<StateLimits> = {},
    namespace = newNamespace(),
  ): Promise<StateDesk> {
    const endpoint = { url };
    const store = await Store.open({ endpoint, label: "test", callTimeoutMs: patientMs });
    return new StateDesk(store, new Hints(endpoint), namespace, limits);
  }

  /** The same process in a namespace of its own, or with other limits in this one. */
  other(limits: Partial<StateLimits> = {}, namespace = newNamespace()): StateDesk {
    return new StateDesk(this.store, this.#hints, namespace, limits);
  }

  close(): void {
    this.#hints.close();
    this.store.close();
  }

  caller(agent: string): Caller {
    return { principal: localPrincipal(this.namespace, agent), run: { id: `${agent}/1` as RunId } };
  }

  put(key: string, value: string, more: Partial<PutState> & { by?: string } = {}): Promise<PutStateResult> {
    const { by = "alice", ...input } = more;
    return putState(this.context, this.caller(by), { key, value, ...input });
  }

  delete(key: string, more: Partial<PutState> & { by?: string } = {}): Promise<PutStateResult> {
    const { by = "alice", ...input } = more;
    return putState(this.context, this.caller(by), { key, delete: true, ...input });
  }

  async get(key: string, by = "bob"): Promise<StateEntry | undefined> {
    return (await getState(this.context, this.caller(by), { key })).entries[0];
  }

  list(prefix: string, cursor?: string, by = "bob"): Promise<StatePage> {
    return getState(this.context, this.caller(by), { prefix, ...(cursor === undefined ? {} : { cursor }) });
  }

  /** The keys of all pages; `between` happens after each. */
  async listAll(prefix: string, between: () => Promise<unknown> = async () => {}): Promise<string[]> {
    const keys: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.list(prefix, cursor);
      keys.push(...page.entries.map((entry) => entry.key));
      cursor = page.cursor;
      await between();
    } while (cursor !== undefined);
    return keys;
  }

  versions(key: string): ReturnType<typeof listVersions> {
    return listVersions(this.context, this.caller("bob"), key);
  }

  watch(key: string, onChange: () => void, by = "bob"): Promise<() => void> {
    return watchState(this.context, this.caller(by), key, onChange);
  }

  /** As if the process that sweeps had come to every group. */
  async sweep(): Promise<void> {
    const { size } = await this.context.rooms.groups(this.namespace);
    for (let n = 0; n <= size; n += 20) await this.#keeper.sweep(this.namespace);
  }

  operator(): Caller {
    return { principal: operatorPrincipal(this.namespace), run: { id: "operator/1" as RunId } };
  }

  keys(group: string): ReturnType<typeof stateGroupKeys> {
    return stateGroupKeys(this.namespace, group);
  }

  /** What the directory gave to the groups, all together. */
  async roomGiven(): Promise<number> {
    return Number(await this.store.command("HGET", `{${this.namespace}:dir}:state-rooms`, "*"));
  }

  async roomUsed(group: string): Promise<number> {
    return Number(await this.store.command("HGET", this.keys(group).meta, "bytes"));
  }
}
