import { randomUUID } from "node:crypto";
import { Access } from "../../src/agents/index.js";
import { Recorder } from "../../src/audit/index.js";
import { type Caller, localPrincipal, type Role, type RunId } from "../../src/identity/index.js";
import type { StoredMessage } from "../../src/mailbox/index.js";
import { Hints, Store } from "../../src/redis/index.js";
import { type TopicLimits, Topics } from "../../src/topics/index.js";
import { patientMs, type TestStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

/** Topics of one process on a test store, in a namespace of its own, with short words for what tests do. */
export class TopicDesk {
  readonly topics: Topics;
  readonly store: Store;
  readonly namespace: string;
  readonly access: Access;
  readonly #hints: Hints;
  #sent = 0;

  private constructor(store: Store, hints: Hints, namespace: string, limits: Partial<TopicLimits>) {
    this.store = store;
    this.#hints = hints;
    this.namespace = namespace;
    const access = new Access({ store, hints });
    const recorder = new Recorder({ store, hasRun: () => true, log: () => undefined });
    this.access = access;
    this.topics = new Topics({
      ...{ store, hints, limits },
      admit: (caller, action, resource) => access.admit(caller, action, resource),
      rightsOf: (caller) => access.rightsOf(caller),
      record: (caller, admission) => recorder.record(caller, admission),
    });
  }

  static async open(
    store: TestStore,
    limits: Partial<TopicLimits> = {},
    namespace = newNamespace(),
  ): Promise<TopicDesk> {
    const endpoint = { url: store.url };
    const opened = await Store.open({ endpoint, label: store.name, callTimeoutMs: patientMs });
    return new TopicDesk(opened, new Hints(endpoint), namespace, limits);
  }

  /** The same process in a namespace of its own. */
  inNamespace(): TopicDesk {
    return new TopicDesk(this.store, this.#hints, newNamespace(), {});
  }

  /** A process of the same namespace in which `act` happens once, just before the named script runs. */
  interrupted(script: string, act: () => Promise<unknown>, limits: Partial<TopicLimits> = {}): TopicDesk {
    const { store } = this;
    let left = 1;
    const run: Store["run"] = async (...call) => {
      if (call[0].name === script && left-- > 0) await act();
      return store.run(...call);
    };
    const slow = {
      run,
      command: store.command.bind(store),
      now: store.now.bind(store),
      attempt: store.attempt.bind(store),
    };
    return new TopicDesk(slow as unknown as Store, this.#hints, this.namespace, limits);
  }

  close(): void {
    this.#hints.close();
    this.store.close();
  }

  caller(agent: string, run = "1", roles: readonly Role[] = ["agent"]): Caller {
    return {
      principal: { ...localPrincipal(this.namespace, agent), roles },
      run: { id: `${agent}/${run}` as RunId },
    };
  }

  message(topic: string, body: string, more: Partial<StoredMessage> = {}): StoredMessage {
    const id =
      more.id ?? `${(1e6 + ++this.#sent).toString(36)}-${randomUUID().slice(0, 13).replace("-", "x")}`;
    return {
      id,
      from: "bob",
      verified: false,
      to: `topic:${topic}`,
      sentAt: Date.now(),
      priority: "normal",
      thread: id,
      origin: id,
      contentType: "text/plain",
      body,
      ...more,
    };
  }

  async publish(
    topic: string,
    body: string,
    more: Partial<StoredMessage> & { readonly ttlMs?: number } = {},
  ): Promise<string> {
    const { ttlMs, ...fields } = more;
    const message = this.message(topic, body, fields);
    const answer = await this.topics.publish(
      this.caller(message.from),
      message,
      { key: message.id, digest: message.id, attempt: this.store.attempt(), keepMs: 60_000 },
      "",
      ttlMs,
    );
    return answer.id;
  }

  subscribe(
    agent: string,
    topic: string,
    more: Partial<Parameters<Topics["subscribeTopic"]>[1]> = {},
  ): ReturnType<Topics["subscribeTopic"]> {
    return this.topics.subscribeTopic(this.caller(agent), { topic, ...more });
  }

  /** One page, settled by nothing but a later read that names its batch as seen. */
  async read(agent: string, ask: ReadAsk = {}): Promise<Page> {
    const caller = this.caller(agent, ask.run);
    const limit = ask.limit ?? 10;
    const { seen = [], unseen = [], sender, topic, thread, minPriority = 0 } = ask;
    const filter = {
      minPriority,
      ...(sender ? { sender } : {}),
      ...(topic ? { topic } : {}),
      ...(thread ? { thread } : {}),
    };
    const looked = await this.topics.feed.heads(caller, { seen, unseen, filter, limit });
    const batch = ask.batch ?? randomUUID();
    const taken = await this.topics.feed.take(caller, batch, looked.heads.slice(0, limit));
    return { ...looked, ...taken, batch, bodies: taken.deliveries.map((one) => one.message.body) };
  }

  /** Pages until nothing comes, each settled by the next. */
  async readAll(agent: string, ask: ReadAsk = {}): Promise<string[]> {
    const bodies: string[] = [];
    let seen: readonly string[] = ask.seen ?? [];
    for (;;) {
      const page = await this.read(agent, { ...ask, seen });
      bodies.push(...page.bodies);
      if (page.bodies.length === 0) return bodies;
      seen = [page.batch];
    }
  }
}

export interface ReadAsk {
  readonly run?: string;
  readonly limit?: number;
  readonly seen?: readonly string[];
  readonly unseen?: readonly string[];
  readonly sender?: string;
  readonly topic?: string;
  readonly thread?: string;
  readonly minPriority?: number;
  readonly batch?: string;
}

export type Page = Awaited<ReturnType<Topics["feed"]["heads"]>> &
  Awaited<ReturnType<Topics["feed"]["take"]>> & {
    readonly batch: string;
    readonly bodies: readonly string[];
  };
