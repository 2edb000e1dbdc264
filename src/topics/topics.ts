import type { Caller } from "../identity/index.js";
import type { Delivery, StoredMessage, TopicFeed } from "../mailbox/index.js";
import { accessLists } from "./access-lists.js";
import { TopicContext, type TopicDependencies } from "./context.js";
import type { SubscribeTopic, SubscriptionReceipt } from "./contract.js";
import { deleteTopic, removeIdleTopics } from "./delete-topic.js";
import { Feed } from "./feed.js";
import { lookFollows } from "./follows.js";
import { history } from "./list-history.js";
import { findTopics, listTopics, type TopicSummary } from "./list-topics.js";
import { watchTopic, watchTopics } from "./listen.js";
import { type PublishOperation, publishMessage } from "./publish-message.js";
import { retentionOf } from "./retention-of.js";
import { createTopic, type SettingChanges, setTopic } from "./set-topic.js";
import { subscribeTopic } from "./subscribe-topic.js";
import { withdrawMessage } from "./withdraw-message.js";

/** The topics of all namespaces of one store, as this process serves them. */
export class Topics {
  readonly feed: TopicFeed;
  readonly #context: TopicContext;

  constructor(deps: TopicDependencies) {
    this.#context = new TopicContext(deps);
    this.feed = new Feed(this.#context);
  }

  publish(
    caller: Caller,
    message: StoredMessage,
    operation: PublishOperation,
    row: string,
    ttlMs?: number,
  ): ReturnType<typeof publishMessage> {
    return publishMessage(this.#context, caller, message, operation, row, ttlMs);
  }

  withdraw(caller: Caller, topic: string, operation: PublishOperation): Promise<boolean> {
    return withdrawMessage(this.#context, caller, topic, operation);
  }

  subscribeTopic(caller: Caller, input: SubscribeTopic): Promise<SubscriptionReceipt> {
    return subscribeTopic(this.#context, caller, input);
  }

  listTopics(caller: Caller): Promise<readonly TopicSummary[]> {
    return listTopics(this.#context, caller);
  }

  findTopics(caller: Caller): Promise<readonly string[]> {
    return findTopics(this.#context, caller);
  }

  accessLists(namespace: string, topic: string): ReturnType<typeof accessLists> {
    return accessLists(this.#context, namespace, topic);
  }

  history(
    caller: Caller,
    topic: string,
    options: { readonly before?: string; readonly limit: number },
  ): Promise<{ readonly deliveries: readonly Delivery[]; readonly before?: string }> {
    return history(this.#context, caller, topic, options);
  }

  watchTopic(caller: Caller, topic: string, onChange: () => void): Promise<() => void> {
    return watchTopic(this.#context, caller, topic, onChange);
  }

  watchTopics(caller: Caller, onChange: () => void): Promise<() => void> {
    return watchTopics(this.#context, caller, onChange);
  }

  /** The patterns the caller's agent follows. */
  async subscriptionsOf(caller: Caller): Promise<readonly string[]> {
    const { namespace, agent } = caller.principal;
    return [...(await lookFollows(this.#context, namespace, agent)).patterns.keys()].sort();
  }

  createTopic(
    caller: Caller,
    topic: string,
    settings?: SettingChanges,
  ): Promise<{ readonly topic: string; readonly created: boolean }> {
    return createTopic(this.#context, caller, topic, settings);
  }

  setTopic(caller: Caller, topic: string, settings: SettingChanges): Promise<void> {
    return setTopic(this.#context, caller, topic, settings);
  }

  deleteTopic(
    caller: Caller,
    topic: string,
    options?: { readonly force?: boolean },
  ): Promise<{ readonly topic: string; readonly ended: number }> {
    return deleteTopic(this.#context, caller, topic, options);
  }

  /** The first levels of all topics there ever were. */
  async roots(namespace: string): Promise<readonly string[]> {
    return [...(await this.#context.roots(namespace)).keys()];
  }

  /** How long the topic keeps what is published there. */
  retentionMs(namespace: string, topic: string): Promise<number> {
    return retentionOf(this.#context, namespace, topic);
  }

  removeIdleTopics(
    namespace: string,
  ): Promise<{ readonly removed: readonly string[]; readonly trimmed: number }> {
    return removeIdleTopics(this.#context, namespace);
  }
}
