import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  Access,
  Credentials,
  Directory,
  Grants,
  myStatus,
  type Runs,
  RunsOfNamespaces,
  Tokens,
} from "./agents/index.js";
import { type Config, settings } from "./config/index.js";
import { refuse } from "./errors/index.js";
import { type Admit, type Caller, JwtVerifier, type RightsOf } from "./identity/index.js";
import * as mail from "./mailbox/index.js";
import type { Rooms, WholeMessage } from "./mcp/index.js";
import type { Logger } from "./observability/index.js";
import { ensureEngine } from "./redis/engine/index.js";
import { directoryKeys, type Endpoint, Hints, mailboxKeys, Store, type StoreOptions } from "./redis/index.js";
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
  readonly tokens: Tokens;
  readonly credentials: Credentials;
  /** The runs of the configured namespace. */
  readonly runs: Runs;
  readonly rooms: Rooms;
  close(): Promise<void>;
}

/** What a process may say beyond its settings. */
interface HouseOptions {
  readonly callTimeoutMs?: number;
  readonly onRoundTrip?: NonNullable<StoreOptions["onRoundTrip"]>;
}

const sweepSeldomMs = 60_000;

/**
 * Opens the store and puts the rooms together. The one place that knows them all: where one capability needs another,
 * it is handed a function here.
 *
 * @param timing.callTimeoutMs how long one call of a configured store may take in all, retries included
 * @param timing.onRoundTrip told of every question to the store
 * @throws {MailboxError} `store.unavailable`, `store.tier_too_low`, `config.invalid`
 */
export async function openHouse(config: Config, log: Logger, timing: HouseOptions = {}): Promise<House> {
  const logEvent = (event: string, facts?: Record<string, unknown>): void => log.warn(facts ?? {}, event);
  const jwt = jwtOf(config, logEvent);
  const store = await openStore(config, log, timing);
  const hints = new Hints(store.endpoint, logEvent);
  const limits = { ...mail.defaultMailboxLimits, ...config.limits };
  const directory = new Directory(store, 100);
  const access = new Access({ store, hints, ...(believesNames(config) ? {} : { namesRefused }) });
  const admit: Admit = (caller, action, resource) => access.admit(caller, action, resource);
  const rightsOf: RightsOf = (caller) => access.rightsOf(caller);
  const grants = new Grants({ store, access, admit });
  const tokens = new Tokens({ store, access, admit });
  const credentials = new Credentials({ access, tokens, ...(jwt ? { jwt } : {}), log: logEvent });
  const topics = new Topics({ store, hints, admit, rightsOf });
  const runs = new RunsOfNamespaces((namespace) => {
    const keeper = new mail.MailboxKeeper(context);
    let sweptSeldomAt = 0;
    return {
      store,
      namespace,
      release: (agent, run, inGoodOrder) => mail.releaseRun(context, namespace, agent, run, inGoodOrder),
      sweep: async () => {
        await mail.sweepOutboxes(context, namespace);
        await keeper.sweep(namespace);
        if (Date.now() - sweptSeldomAt < sweepSeldomMs) return;
        sweptSeldomAt = Date.now();
        await topics.removeIdleTopics(namespace);
        await grants.sweep(namespace);
      },
      log: logEvent,
    };
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
  const rooms = roomsOf({ store, context, directory, access, credentials, runs, topics });
  return {
    config,
    store,
    mail: context,
    topics,
    directory,
    access,
    grants,
    tokens,
    credentials,
    runs: runs.of(config.namespace),
    rooms,
    close: async () => {
      credentials.close();
      await runs.close();
      hints.close();
      store.close();
    },
  };
}

/** Whoever can open a local engine is a process of its owner; of a store on the network nobody can say that. */
function believesNames(config: Config): boolean {
  return config.redisUrl === undefined || config.allowUnverified;
}

const namesRefused = "other machines may reach the store, and LLM_MAILBOX_ALLOW_UNVERIFIED is not 1";

/** @throws {MailboxError} `config.invalid` when only a part of what a JWT is checked against is set */
function jwtOf(
  config: Config,
  log: (event: string, facts: Record<string, unknown>) => void,
): JwtVerifier | undefined {
  const { jwtJwks: jwks, jwtIssuer: issuer, jwtAudience: audience } = config;
  if (jwks === undefined && issuer === undefined && audience === undefined) return undefined;
  if (jwks === undefined || issuer === undefined || audience === undefined)
    return refuse("config.invalid", {
      setting: `LLM_MAILBOX_${jwks === undefined ? "JWKS" : issuer === undefined ? "JWT_ISSUER" : "JWT_AUDIENCE"}`,
      problem: "is missing, so that a JWT meant for others would be accepted",
      allowed: "all of LLM_MAILBOX_JWKS, LLM_MAILBOX_JWT_ISSUER and LLM_MAILBOX_JWT_AUDIENCE, or none",
    });
  const settings = {
    jwks,
    issuer,
    audience,
    algorithms: config.jwtAlgorithms,
    agentClaim: config.jwtAgentClaim,
    namespaceClaim: config.jwtNamespaceClaim,
    rolesClaim: config.jwtRolesClaim,
    namespace: config.namespace,
  };
  return new JwtVerifier(settings, log);
}

/** Where the store is, in the order of preference: a configured address, or the local engine of the data directory. */
async function openStore(config: Config, log: Logger, timing: HouseOptions): Promise<Store> {
  const store =
    config.redisUrl === undefined
      ? await openLocal(config, log, timing)
      : await openRemote(config.redisUrl, log, timing);
  if (config.tier !== undefined && store.tier < config.tier) {
    const actual = store.tier;
    store.close();
    refuse("store.tier_too_low", { actual, required: config.tier });
  }
  return store;
}

async function openRemote(url: string, log: Logger, timing: HouseOptions): Promise<Store> {
  // A password stands before the last @, whatever is in it, or in what follows a question mark.
  const shown = url.replace(/\/\/.*@/, "//…@").replace(/\?.*/, "");
  return Store.open({
    endpoint: { url },
    label: shown,
    ...timing,
    log: (event, facts) => log.warn(facts, event),
  });
}

async function openLocal(
  config: Config,
  log: Logger,
  { onRoundTrip }: Pick<HouseOptions, "onRoundTrip">,
): Promise<Store> {
  const ensure = () =>
    ensureEngine({
      dataDir: config.dataDir,
      engine: config.engine,
      idleMs: config.engineIdleMs,
      supervisorCommand: [process.execPath, executable(), "supervise"],
      supervisorEnvironment: withoutSecrets(process.env),
      log: (event, facts) => log.info(facts ?? {}, event),
    });
  const engine = await ensure();
  const endpoint: Endpoint = { socketPath: engine.socketPath };
  return Store.open({
    endpoint,
    label: engine.label,
    ...(onRoundTrip && { onRoundTrip }),
    ...(engine.kind === "embedded" ? { tier: "D2" as const } : {}),
    revive: async () => void (await ensure()),
    log: (event, facts) => log.warn(facts, event),
  });
}

function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const secrets = Object.values(settings).flatMap((setting) => ("secret" in setting ? [setting.env] : []));
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secrets.some((one) => name === one)));
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
  readonly access: Access;
  readonly credentials: Credentials;
  readonly runs: RunsOfNamespaces;
  readonly topics: Topics;
}

function roomsOf(parts: Parts): Rooms {
  const { store, context, directory, access, credentials, runs, topics } = parts;
  return {
    identity: {
      verify: (credential) => credentials.verify(credential),
      check: (held) => credentials.check(held),
      whileHolds: (held, onEnd) => credentials.whileHolds(held, onEnd),
    },
    runs: {
      begin: async (principal) => {
        await credentials.check(principal);
        return runs.begin(principal);
      },
      end: (caller) => runs.end(caller),
    },
    access: {
      usableBy: (principal) => access.usableBy(principal),
    },
    mail: {
      sendMessage: (caller, input) => mail.sendMessage(context, caller, input),
      readInbox: (caller, input, options) =>
        whileProved(credentials, caller, input.wait_seconds, options, (bounded) =>
          mail.readInbox(context, caller, input, bounded),
        ),
      ackMessages: (caller, input) => mail.ackMessages(context, caller, input),
      searchMessages: (caller, input) => mail.searchMessages(context, caller, input),
      manageDeadLetters: (caller, input) => mail.manageDeadLetters(context, caller, input),
      confirm: (caller, batch, reached) => context.memory(caller).confirm(batch, reached),
      news: (caller) => mail.newsOf(context, caller),
      unread: (caller) => mail.unreadMail(context, caller),
      messageById: async (caller, id) => {
        await mail.noteCall(context, caller);
        const { delivery, states } = await mail.messageById(context, caller, id);
        return whole(delivery, states);
      },
      thread: async (caller, id) => {
        await mail.noteCall(context, caller);
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
        await mail.noteCall(context, caller);
        const listed = await topics.listTopics(caller);
        return listed.map(({ name, messages, lastAt }) => ({
          name,
          messages,
          ...(lastAt ? { last_at: new Date(lastAt).toISOString() } : {}),
        }));
      },
      history: async (caller, topic, options) => {
        await mail.noteCall(context, caller);
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
          online: () => runs.of(caller.principal.namespace).online(),
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
            runs: runs.of(caller.principal.namespace),
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
    watch: async (caller, target, onChange) => {
      await credentials.check(caller.principal);
      // Whoever is no longer who it was is told nothing more, not even that something changed.
      let holds = true;
      const stopWatching = await watch(context, topics, caller, target, () => holds && onChange());
      const stopHolding = credentials.whileHolds(caller.principal, () => {
        holds = false;
        stopWatching();
      });
      return () => {
        stopHolding();
        stopWatching();
      };
    },
  };
}

/** A wait ends with the credential of whoever waits: what arrives afterwards is not for them. */
async function whileProved<Options extends { readonly signal?: AbortSignal }, T>(
  credentials: Credentials,
  caller: Caller,
  waitSeconds: number | undefined,
  options: Options,
  wait: (options: Options) => Promise<T>,
): Promise<T> {
  if (!waitSeconds) return wait(options);
  const ended = new AbortController();
  const stop = credentials.whileHolds(caller.principal, () => ended.abort());
  try {
    const signal = options.signal ? AbortSignal.any([options.signal, ended.signal]) : ended.signal;
    const answer = await wait({ ...options, signal });
    if (ended.signal.aborted) await credentials.check(caller.principal);
    return answer;
  } finally {
    stop();
  }
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
