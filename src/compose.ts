import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Access, Directory, Grants, myStatus, Runs } from "./agents/index.js";
import type { Config } from "./config/index.js";
import { refuse } from "./errors/index.js";
import type { Admit, Caller, RightsOf } from "./identity/index.js";
import * as mail from "./mailbox/index.js";
import type { Rooms, WholeMessage } from "./mcp/index.js";
import type { Logger } from "./observability/index.js";
import { ensureEngine } from "./redis/engine/index.js";
import { directoryKeys, type Endpoint, Hints, mailboxKeys, Store } from "./redis/index.js";
import { Topics } from "./topics/index.js";

/** Everything of one process, put together: the store, the capabilities, and what the faces are given. */
export interface House {
  readonly config: Config;
  readonly store: Store;
  readonly mail: mail.MailContext;
  readonly topics: Topics;
  readonly directory: Directory;
  readonly access: Access;
  readonly grants: Grants;
  readonly runs: Runs;
  readonly rooms: Rooms;
  close(): Promise<void>;
}

const sweepSeldomMs = 60_000;

/**
 * Opens the store and puts the rooms together. The one place that knows them all: where one capability needs another,
 * it is handed a function here.
 *
 * @param timing.callTimeoutMs how long one call of a configured store may take in all, retries included
 * @throws {MailboxError} `store.unavailable`, `store.tier_too_low`, `config.invalid`
 */
export async function openHouse(
  config: Config,
  log: Logger,
  timing: { readonly callTimeoutMs?: number } = {},
): Promise<House> {
  const logEvent = (event: string, facts?: Record<string, unknown>): void => log.warn(facts ?? {}, event);
  const store = await openStore(config, log, timing);
  const hints = new Hints(store.endpoint, logEvent);
  const limits = { ...mail.defaultMailboxLimits, ...config.limits };
  const directory = new Directory(store, 100);
  const access = new Access({ store, hints });
  const admit: Admit = (caller, action, resource) => access.admit(caller, action, resource);
  const rightsOf: RightsOf = (caller) => access.rightsOf(caller);
  const grants = new Grants({ store, access, admit });
  const topics = new Topics({ store, hints, admit, rightsOf });
  let sweptSeldomAt = 0;
  const runs = new Runs({
    store,
    namespace: config.namespace,
    release: (agent, run, inGoodOrder) => mail.releaseRun(context, config.namespace, agent, run, inGoodOrder),
    sweep: async () => {
      await mail.sweepOutboxes(context, config.namespace);
      await keeper.sweep(config.namespace);
      if (Date.now() - sweptSeldomAt < sweepSeldomMs) return;
      sweptSeldomAt = Date.now();
      await topics.removeIdleTopics(config.namespace);
      await grants.sweep(config.namespace);
    },
    log: logEvent,
  });
  const context = new mail.MailContext({
    store,
    hints,
    limits,
    admit,
    rightsOf,
    feed: topics.feed,
    directory,
    runs,
    publish: (caller, topic, message, operation, ttlMs) =>
      topics.publish(caller, { ...message, to: `topic:${topic}` }, operation, ttlMs),
    topicRetentionMs: (namespace, topic) => topics.retentionMs(namespace, topic),
    ...(config.filesDir === undefined ? {} : { filesDir: config.filesDir }),
    log: logEvent,
  });
  const keeper = new mail.MailboxKeeper(context);
  const rooms = roomsOf({ store, context, directory, runs, topics, access });
  return {
    config,
    store,
    mail: context,
    topics,
    directory,
    access,
    grants,
    runs,
    rooms,
    close: async () => {
      await runs.close();
      hints.close();
      store.close();
    },
  };
}

/** Where the store is, in the order of preference: a configured address, or the local engine of the data directory. */
async function openStore(
  config: Config,
  log: Logger,
  timing: { readonly callTimeoutMs?: number },
): Promise<Store> {
  const store =
    config.redisUrl === undefined
      ? await openLocal(config, log)
      : await openRemote(config.redisUrl, log, timing);
  if (config.tier !== undefined && store.tier < config.tier) {
    const actual = store.tier;
    store.close();
    refuse("store.tier_too_low", { actual, required: config.tier });
  }
  return store;
}

async function openRemote(
  url: string,
  log: Logger,
  timing: { readonly callTimeoutMs?: number },
): Promise<Store> {
  const shown = url.replace(/\/\/[^@/]*@/, "//…@");
  return Store.open({
    endpoint: { url },
    label: shown,
    ...timing,
    log: (event, facts) => log.warn(facts, event),
  });
}

async function openLocal(config: Config, log: Logger): Promise<Store> {
  const ensure = () =>
    ensureEngine({
      dataDir: config.dataDir,
      engine: config.engine,
      idleMs: config.engineIdleMs,
      supervisorCommand: [process.execPath, executable(), "supervise"],
      log: (event, facts) => log.info(facts ?? {}, event),
    });
  const engine = await ensure();
  const endpoint: Endpoint = { socketPath: engine.socketPath };
  return Store.open({
    endpoint,
    label: engine.label,
    ...(engine.kind === "embedded" ? { tier: "D2" as const } : {}),
    revive: async () => void (await ensure()),
    log: (event, facts) => log.warn(facts, event),
  });
}

/** The program that other processes start as a supervisor: always the built one. */
function executable(): string {
  const here = fileURLToPath(import.meta.url);
  const built = here.endsWith(".ts")
    ? fileURLToPath(new URL("../dist/main.js", import.meta.url))
    : fileURLToPath(new URL("./main.js", import.meta.url));
  return realpathSync(built);
}

interface Parts {
  readonly store: Store;
  readonly context: mail.MailContext;
  readonly directory: Directory;
  readonly runs: Runs;
  readonly topics: Topics;
  readonly access: Access;
}

function roomsOf({ store, context, directory, runs, topics, access }: Parts): Rooms {
  return {
    runs: {
      begin: (principal) => runs.begin(principal),
      end: (caller) => runs.end(caller),
    },
    access: {
      usableBy: (principal) => access.usableBy(principal),
    },
    mail: {
      sendMessage: (caller, input) => mail.sendMessage(context, caller, input),
      readInbox: (caller, input, options) => mail.readInbox(context, caller, input, options),
      ackMessages: (caller, input) => mail.ackMessages(context, caller, input),
      searchMessages: (caller, input) => mail.searchMessages(context, caller, input),
      manageDeadLetters: (caller, input) => mail.manageDeadLetters(context, caller, input),
      confirm: (caller, batch, reached) => context.memory(caller).confirm(batch, reached),
      news: (caller) => mail.newsOf(context, caller),
      messageById: async (caller, id) => {
        const { delivery, states } = await mail.messageById(context, caller, id);
        return whole(delivery, states);
      },
      thread: async (caller, id) => {
        const deliveries = await mail.thread(context, caller, id);
        return {
          messages: deliveries
            .slice(-50)
            .map((delivery) => whole(delivery, [{ to: delivery.message.to, state: delivery.state }])),
          earlier: Math.max(deliveries.length - 50, 0),
        };
      },
    },
    topics: {
      subscribeTopic: async (caller, input) => {
        await mail.noteCall(context, caller);
        const receipt = await topics.subscribeTopic(caller, input);
        context.memory(caller).heardOfTopics(); // the hint may come after the reply
        return receipt;
      },
      listTopics: async (caller) => {
        const listed = await topics.listTopics(caller);
        return listed.map(({ name, messages, lastAt }) => ({
          name,
          messages,
          ...(lastAt ? { last_at: new Date(lastAt).toISOString() } : {}),
        }));
      },
      history: async (caller, topic, options) => {
        const page = await topics.history(caller, topic, options);
        return {
          messages: page.deliveries.map(mail.shown),
          ...(page.before === undefined ? {} : { before: page.before }),
        };
      },
    },
    agents: {
      findRecipients: async (caller, input) => {
        await mail.noteCall(context, caller);
        await context.deps.admit(caller, "agents.find", "*");
        const may = await access.rightsOf(caller);
        return directory.find(caller, input, {
          mayKnow: (mailbox) =>
            may("agents.find", mailbox) && (may("mailbox.send", mailbox) || may("mailbox.read", mailbox)),
          online: () => runs.online(),
          topics: async () =>
            (await topics.findTopics(caller)).filter((name) => may("agents.find", `topic:${name}`)),
          ready: async (queue) =>
            (await mail.countReady(context, caller.principal.namespace, `queue:${queue}`)).unread,
        });
      },
      myStatus: async (caller, input) => {
        await mail.noteCall(context, caller);
        await context.deps.admit(caller, "agents.describe", caller.principal.agent);
        return myStatus(
          {
            directory,
            runs,
            inbox: async (asking) => {
              const [counts, overdue] = await Promise.all([
                mail.countInbox(context, asking),
                mail.overdueMail(context, asking),
              ]);
              return {
                unread: counts.unread,
                urgent: counts.urgent,
                open: counts.open,
                dead_letters: counts.dead,
                overdue: overdue.map(({ id, from, sentAt }) => ({
                  id,
                  from,
                  since: new Date(sentAt).toISOString(),
                })),
              };
            },
            subscriptions: (asking) => topics.subscriptionsOf(asking),
            roles: async (asking) => (await access.rightsOf(asking)).roles,
            store,
          },
          caller,
          input,
        );
      },
    },
    watch: (caller, target, onChange) => watch(context, topics, caller, target, onChange),
  };
}

async function watch(
  context: mail.MailContext,
  topics: Topics,
  caller: Caller,
  target: Parameters<Rooms["watch"]>[1],
  onChange: () => void,
): Promise<() => void> {
  const { namespace, agent } = caller.principal;
  const { admit, hints, rightsOf } = context.deps;
  /** Asked again with each change: who may not look any more is told of nothing. */
  const tell = async (): Promise<void> => {
    const may = await rightsOf(caller).catch(() => undefined);
    if (!may) return;
    if (target.kind === "inbox" ? may("mailbox.read", agent) : may("agents.find", "*")) onChange();
  };
  switch (target.kind) {
    case "inbox": {
      await admit(caller, "mailbox.read", agent);
      const stops = await Promise.all([
        hints.listen(mailboxKeys(namespace, agent).channel, () => void tell()),
        topics.feed.listen(caller, () => void tell()),
      ]);
      return () => {
        for (const stop of stops) stop();
      };
    }
    case "topic":
      return topics.watchTopic(caller, target.name, onChange);
    case "topics":
      return topics.watchTopics(caller, onChange);
    case "agents":
      await admit(caller, "agents.find", "*");
      return hints.listen(directoryKeys(namespace).channel, () => void tell());
  }
}

function whole(delivery: mail.Delivery, states: WholeMessage["states"]): WholeMessage {
  const { message } = delivery;
  return {
    ...mail.summary(message, states),
    content_type: message.contentType,
    body: message.body,
    ...(message.data ? { data: message.data } : {}),
    ...(message.inReplyTo ? { in_reply_to: message.inReplyTo } : {}),
    ...(message.attachments ? { attachments: message.attachments } : {}),
  };
}
