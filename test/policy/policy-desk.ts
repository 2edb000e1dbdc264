import { createHash } from "node:crypto";
import { Access } from "../../src/agents/index.js";
import {
  type AgentFacts,
  type Caller,
  localPrincipal,
  noFacts,
  type RunId,
} from "../../src/identity/index.js";
import {
  budgetsOf,
  type CheckPolicy,
  checkPolicy,
  defaultPolicyLimits,
  enforce,
  type InForce,
  type LimitState,
  type PolicyAnswer,
  PolicyContext,
  type PolicyDependencies,
  type PolicyLimits,
  type PolicyNotice,
  type Reads,
  type Settled,
  settleReservation,
} from "../../src/policy/index.js";
import { compileRules } from "../../src/policy/rule-compiler.js";
import { Hints, policyKeys, type Script, Store } from "../../src/redis/index.js";
import { patientMs } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

/** Policy of one process on a test store, in a namespace of its own, with short words for what tests do. */
export class PolicyDesk {
  readonly context: PolicyContext;
  readonly access: Access;
  readonly store: Store;
  readonly namespace: string;
  /** What the namespace's records say of agents. */
  readonly facts = new Map<string, AgentFacts>();
  reads: Reads = { unverified: [], foreign: [] };
  /** What was told to whom, because a rule says so. */
  readonly told: (PolicyNotice & { readonly to: string })[] = [];
  approvals: Pick<PolicyDependencies, "openApproval" | "claimApproval" | "awaitApproval"> = noApprovals;
  #inForce: InForce;
  readonly #hints: Hints;

  constructor(store: Store, hints: Hints, namespace: string, rules: string, limits: Partial<PolicyLimits>) {
    this.store = store;
    this.#hints = hints;
    this.namespace = namespace;
    this.access = new Access({ store, hints });
    this.#inForce = { version: 1, rules: compileRules(rules) };
    this.context = new PolicyContext({
      store,
      limits: { ...defaultPolicyLimits, ...limits },
      admit: (caller, action, resource) => this.access.admit(caller, action, resource),
      rightsOf: (caller) => this.access.rightsOf(caller),
      record: async () => {},
      inForce: () => this.#inForce,
      factsOf: async ({ principal }) => this.facts.get(principal.agent) ?? noFacts,
      readsOf: async () => this.reads,
      openApproval: (...asked) => this.approvals.openApproval(...asked),
      claimApproval: (...asked) => this.approvals.claimApproval(...asked),
      awaitApproval: (...asked) => this.approvals.awaitApproval(...asked),
      notify: async (_, to, notice) => void this.told.push({ to, ...notice }),
      log: () => undefined,
    });
  }

  static async open(
    url: string,
    rules: string,
    limits: Partial<PolicyLimits> = {},
    namespace = newNamespace(),
  ): Promise<PolicyDesk> {
    const endpoint = { url };
    const store = await Store.open({ endpoint, label: "test", callTimeoutMs: patientMs });
    return new PolicyDesk(store, new Hints(endpoint), namespace, rules, limits);
  }

  /** The same process in a namespace of its own, or with other rules in this one. */
  other(rules: string, limits: Partial<PolicyLimits> = {}, namespace = newNamespace()): PolicyDesk {
    return new PolicyDesk(this.store, this.#hints, namespace, rules, limits);
  }

  close(): void {
    this.#hints.close();
    this.store.close();
  }

  put(rules: string): void {
    this.#inForce = { version: this.#inForce.version + 1, rules: compileRules(rules) };
  }

  caller(agent: string): Caller {
    return { principal: localPrincipal(this.namespace, agent), run: { id: `${agent}/1` as RunId } };
  }

  check(action: string, more: Partial<CheckPolicy> & { readonly by?: string } = {}): Promise<PolicyAnswer> {
    const { by = "alice", ...input } = more;
    return checkPolicy(this.context, this.caller(by), { action, ...input });
  }

  settle(
    id: string | undefined,
    cost: number,
    more: { readonly by?: string; readonly key?: string } = {},
  ): Promise<Settled> {
    const { by = "alice", key } = more;
    return settleReservation(this.context, this.caller(by), {
      reservation_id: id ?? "none",
      cost,
      ...(key === undefined ? {} : { idempotency_key: key }),
    });
  }

  /** What allows a call of one of our own tools, which is then made. */
  async enforce(
    action: Parameters<typeof enforce>[2],
    resource: string,
    given: Record<string, unknown> = {},
    more: { readonly by?: string; readonly key?: string } = {},
  ): Promise<{ readonly because: string }> {
    const { by = "alice", key } = more;
    const { because, settle } = await enforce(this.context, this.caller(by), action, resource, {
      arguments: given,
      ...(key === undefined ? {} : { idempotencyKey: key }),
    });
    await settle?.(true);
    return { because };
  }

  budgets(by = "alice"): Promise<readonly LimitState[]> {
    return budgetsOf(this.context, this.caller(by));
  }

  get keys(): ReturnType<typeof policyKeys> {
    return policyKeys(this.namespace);
  }

  /** What was decided, newest first. */
  async decisions(): Promise<Record<string, unknown>[]> {
    const rows = (await this.store.command("LRANGE", this.keys.decisions, 0, -1)) as string[];
    return rows.map((row) => JSON.parse(row) as Record<string, unknown>);
  }

  /** What was recorded, oldest first: outcome and reason of each row. */
  async rows(): Promise<string[]> {
    const rows = (await this.store.command("LRANGE", this.keys.audit, 0, -1)) as string[];
    return rows.map((row) => {
      const { w, a, o, d, y } = JSON.parse(row.slice(row.indexOf("|") + 1)) as Record<string, string>;
      return `${w} ${a} ${o} ${d} ${y}`;
    });
  }

  async fields(key: "counts" | "reservations" | "figures"): Promise<Record<string, string>> {
    return Object.fromEntries(await this.store.hash(this.keys[key]));
  }
}

const noApprovals: PolicyDesk["approvals"] = {
  openApproval: () => Promise.reject(new Error("nobody is asked here")),
  claimApproval: () => Promise.reject(new Error("nobody is asked here")),
  awaitApproval: () => Promise.reject(new Error("nobody is asked here")),
};

/**
 * Lets the scripts of a store take their time from a test, which moves it: each namespace has its own. A script is changed
 * once and told the time by its last key, whose name says it: the store would compile a script anew for each time.
 */
export function moveTime(store: Store): (namespace: string, toMs: number) => void {
  const run = store.run.bind(store);
  const times = new Map<string, number>();
  const changed = new Map<Script, Script>();
  store.run = (script, keys, args) => {
    const [tag, namespace] = /^\{([^:]+):[^}]*\}/.exec(keys[0]!) ?? [];
    const now = times.get(namespace ?? "");
    if (now === undefined) throw new Error("nobody said which time it is");
    const own = changed.get(script) ?? movedBy(script);
    changed.set(script, own);
    return run(own, [...keys, `${tag}:now:${Math.floor(now)}`], args);
  };
  return (namespace, toMs) => void times.set(namespace, toMs);
}

function movedBy({ name, ...script }: Script): Script {
  const source = toldTheTime(script.source);
  const plainSource = toldTheTime(script.plainSource);
  if (source === script.source) throw new Error(`${name} does not look at the time`);
  return { name, source, plainSource, sha: sha1(source), plainSha: sha1(plainSource) };
}

const toldTime = `(function()
  local ms = tonumber(string.match(KEYS[#KEYS], ':now:(%d+)$'))
  return { math.floor(ms / 1000), ms % 1000 * 1000 }
end)()`;

/** The deadline of a call is by the clock of the store that was not moved. */
function toldTheTime(source: string): string {
  return source.replace("redis.call('TIME')", () => toldTime).replace("limit > 0 and nowMs > limit", "false");
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
