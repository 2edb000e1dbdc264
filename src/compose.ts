import { realpathSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  formatAddress,
  parseAddress,
  parsePattern,
  parseResource,
  parseStatePrefix,
} from "./addresses/index.js";
import {
  Access,
  AgentRecords,
  Credentials,
  Directory,
  Grants,
  KillSwitch,
  myStatus,
  type Runs,
  RunsOfNamespaces,
  Tokens,
} from "./agents/index.js";
import * as approving from "./approvals/index.js";
import { type Places, Recorder, Sealer, type SealTimes } from "./audit/index.js";
import { type Config, settings } from "./config/index.js";
import { isRefusal, type MailboxError, refuse } from "./errors/index.js";
import {
  type Action,
  type Admit,
  alsoBecause,
  type Caller,
  isOperator,
  JwtVerifier,
  operatorPrincipal,
  type Principal,
  type RecordDecision,
  type Rights,
  type RightsOf,
  type RunId,
  rowOf,
} from "./identity/index.js";
import * as lock from "./locks/index.js";
import * as mail from "./mailbox/index.js";
import { argumentsOfStep, loopTurns, type Rooms, type WholeMessage } from "./mcp/index.js";
import type { Log } from "./observability/index.js";
import * as policy from "./policy/index.js";
import { ensureEngine } from "./redis/engine/index.js";
import {
  directoryKeys,
  type Endpoint,
  Hints,
  mailboxKeys,
  RepeatedLook,
  Store,
  type StoreOptions,
} from "./redis/index.js";
import * as shared from "./state/index.js";
import { Topics } from "./topics/index.js";

/** Everything of one process, put together: the store, the capabilities, and what the faces are given. */
export interface House {
  readonly config: Config;
  readonly store: Store;
  readonly mail: mail.MailContext;
  readonly topics: Topics;
  readonly locks: lock.LockContext;
  readonly state: shared.StateContext;
  readonly policy: policy.PolicyContext;
  readonly approvals: approving.ApprovalContext;
  readonly directory: Directory;
  readonly access: Access;
  readonly grants: Grants;
  readonly tokens: Tokens;
  readonly credentials: Credentials;
  readonly agentRecords: AgentRecords;
  readonly killSwitch: KillSwitch;
  /** Whose messages runs have read. */
  readonly reads: policy.RunReads;
  /** The runs of the configured namespace. */
  readonly runs: Runs;
  readonly ruleBook: policy.RuleBook;
  readonly recorder: Recorder;
  /** Where decisions are recorded. */
  readonly places: Places;
  readonly rooms: Rooms;
  close(): Promise<void>;
}

/** What a process may say beyond its settings. */
interface HouseOptions {
  readonly callTimeoutMs?: number;
  readonly engineTimeoutMs?: number;
  readonly seal?: Partial<SealTimes>;
  readonly locks?: Partial<lock.LockLimits>;
  readonly approvals?: Partial<approving.ApprovalLimits>;
  readonly onRoundTrip?: NonNullable<StoreOptions["onRoundTrip"]>;
}

const sweepSeldomMs = 60_000;

/** No form is open longer. */
const formMs = 10 * 60_000;

/**
 * Opens the store and puts the rooms together. The one place that knows them all: where one capability needs another,
 * it is handed a function here.
 *
 * @param timing.callTimeoutMs how long one call of a configured store may take in all, retries included
 * @param timing.engineTimeoutMs how long the engine of this machine may take to answer, or to start
 * @param timing.onRoundTrip told of every question to the store
 * @param timing.approvals how long requests and links last, where tests have no time to wait
 * @param timing.locks how long leases and offers last, where tests have no time to wait
 * @param timing.seal when audit rows are sealed, signed and trimmed
 * @throws {MailboxError} `store.unavailable`, `store.tier_too_low`, `config.invalid`
 */
export async function openHouse(config: Config, log: Log, timing: HouseOptions = {}): Promise<House> {
  const logEvent = (event: string, facts?: Record<string, unknown>): void => log.warn(facts ?? {}, event);
  const jwt = jwtOf(config, logEvent);
  const store = await openStore(config, log, timing);
  const hints = new Hints(store.endpoint, logEvent);
  const limits = { ...mail.defaultMailboxLimits, ...config.limits };
  const directory = new Directory(store, 100);
  const access = new Access({ store, hints, ...(believesNames(config) ? {} : { namesRefused }) });
  const admit: Admit = async (caller, action, resource, asked) => {
    const admission = await access.admit(caller, action, resource);
    if (!asked || isOperator(caller.principal)) return admission;
    const { because, settle } = await policy.enforce(budgets, caller, action, resource, asked);
    const told = because === "no rule" ? admission : alsoBecause(admission, because);
    return settle ? { ...told, settle } : told;
  };
  const rightsOf: RightsOf = (caller) => access.rightsOf(caller);
  const recorder = new Recorder({ store, hasRun: (caller) => runs.has(caller), log: logEvent });
  const record: RecordDecision = (caller, admission) => recorder.record(caller, admission);
  const grants = new Grants({ store, access, admit, record });
  const tokens = new Tokens({
    store,
    access,
    admit,
    record,
    onRevoked: (namespace, agent) => approving.loseLinksOf(approvals, namespace, agent),
  });
  const agentRecords = new AgentRecords({ access, admit });
  const credentials = new Credentials({ access, tokens, ...(jwt ? { jwt } : {}), log: logEvent });
  const ruleBook = new policy.RuleBook({ store, hints, admit, log: logEvent });
  const topics = new Topics({ store, hints, admit, rightsOf, record });
  const locks = new lock.LockContext({
    ...{ store, hints, admit, rightsOf, record, log: logEvent },
    isOver: (caller) => runs.howEnded(caller) !== undefined,
    limits: { ...lock.defaultLockLimits, ...config.lockLimits, ...timing.locks },
  });
  const isStoppedNow = async (namespace: string, agent: string): Promise<boolean> =>
    (await access.rules(namespace)).stopped.has(agent);
  const places: Places = {
    mailboxes: (namespace) => directory.mailboxes(namespace),
    roots: (namespace) => topics.roots(namespace),
    groups: async (namespace) => [...(await state.rooms.groups(namespace)).keys()],
  };
  const folder = join(config.dataDir, "audit");
  const runs = new RunsOfNamespaces((namespace) => {
    const keeper = new mail.MailboxKeeper(context);
    const groupKeeper = new shared.GroupKeeper(state);
    const sealer = new Sealer({
      store,
      places,
      folder,
      keyFile: config.auditKeyFile ?? join(folder, "key.pem"),
      ...(timing.seal ? { times: timing.seal } : {}),
      log: logEvent,
    });
    return {
      store,
      namespace,
      release: async (agent, run, how) => {
        const inGoodOrder = how !== "gone";
        // Whoever was stopped did not leave what it held in good order.
        const isStopped = await isStoppedNow(namespace, agent);
        // Neither waits for the other: what could not be given back now is given back by the next sweep.
        await Promise.all([
          lock.releaseRun(locks, namespace, run, inGoodOrder && !isStopped, how !== "left"),
          mail.releaseRun(context, namespace, agent, run, inGoodOrder),
          inGoodOrder && !reads.knows(run) ? undefined : reads.forget(namespace, run),
        ]);
      },
      returned: (caller) => locks.returned(caller),
      sweeps: {
        // First of these: lock time is cut short where what comes before it takes long.
        "lock time": () => lock.keepLockTime(locks, namespace),
        audit: () =>
          sealer
            .sweep(namespace)
            .catch((error: Error) => logEvent("audit rows wait to be sealed", { error: error.message })),
        "stopped agents": () => killSwitch.sweep(namespace),
        outboxes: () => mail.sweepOutboxes(context, namespace),
        mailboxes: () => keeper.sweep(namespace),
        state: () => groupKeeper.sweep(namespace),
        "turns at locks": () =>
          lock.tellOfTurns(locks, namespace, async (...told) => void (await mail.tell(context, ...told))),
        approvals: () => approving.keepApprovals(approvals, namespace),
        "idle topics": seldom(() => topics.removeIdleTopics(namespace)),
        grants: seldom(() => grants.sweep(namespace)),
      },
      log: logEvent,
    };
  });
  const reads = new policy.RunReads({
    store,
    factsOf: (namespace, agent) => access.factsOf(namespace, agent),
    isOurs: (caller) => runs.has(caller),
    livingRuns: (namespace, agent) => runs.of(namespace).ofAgent(agent),
  });
  const killSwitch = new KillSwitch({
    access,
    admit,
    now: () => store.now(),
    giveUp: async (namespace, agent) => {
      const known = await runs.of(namespace).ofAgent(agent);
      await Promise.all([
        lock.releaseAgent(locks, namespace, agent),
        mail.releaseAgent(context, namespace, agent, known),
        approving.loseLinksOf(approvals, namespace, agent),
      ]);
    },
    goOn: (namespace, agent) => mail.flushSoon(context, namespace, agent),
    log: logEvent,
  });
  const leaseFor =
    (done: "sent" | "written"): mail.MailDependencies["leaseOf"] =>
    (...asked) =>
      lock.ownLease(locks, done, ...asked);
  const context = new mail.MailContext({
    store,
    hints,
    limits,
    admit,
    rightsOf,
    record,
    feed: topics.feed,
    directory,
    runs,
    publish: (caller, topic, message, operation, row, ttlMs) =>
      topics.publish(caller, { ...message, to: `topic:${topic}` }, operation, row, ttlMs),
    withdraw: (caller, topic, operation) => topics.withdraw(caller, topic, operation),
    leaseOf: leaseFor("sent"),
    isStopped: isStoppedNow,
    noteReads: (caller, shown) => reads.note(caller, shown),
    decideEach: (caller, names, asked) =>
      policy.enforceEach(budgets, caller, "mailbox.send", "everyone", names, asked),
    topicRetentionMs: (namespace, topic) => topics.retentionMs(namespace, topic),
    ...(config.filesDir === undefined ? {} : { filesDir: config.filesDir }),
    log: logEvent,
  });
  const state = new shared.StateContext({
    store,
    hints,
    limits: { ...shared.defaultStateLimits, ...config.stateLimits },
    admit,
    rightsOf,
    record,
    leaseOf: leaseFor("written"),
  });
  const approvals = new approving.ApprovalContext({
    ...{ store, hints, admit, rightsOf, record, log: logEvent },
    limits: { ...approving.defaultApprovalLimits, ...timing.approvals },
    factsOf: ({ principal }) => access.factsOf(principal.namespace, principal.agent),
    rightsOfVoter: (namespace, voter) => rightsOfVoter(access, namespace, voter),
    isStopped: isStoppedNow,
    argumentsOf: (agent, action, given) =>
      argumentsOfStep({
        agent,
        action,
        arguments: given,
        limits: { mail: context.limits, state: state.limits },
      }),
    holdersOf: async (namespace, role) =>
      [...(await access.rules(namespace)).roles].flatMap(([agent, roles]) =>
        roles.some((one) => one === role) ? [agent] : [],
      ),
    notify: async (namespace, agent, { body, ...notice }) => {
      // So that the mailbox is looked after also when nobody has ever read there.
      await directory
        .reach(byPostmaster(namespace), "agent", agent, true, () => false)
        .catch((error: Error) =>
          logEvent("the mailbox of an approver is not in the directory", { agent, error: error.message }),
        );
      return mail.tell(context, namespace, agent, { ...notice, lines: [body] });
    },
  });
  const budgets = new policy.PolicyContext({
    ...{ store, admit, rightsOf, record, log: logEvent },
    limits: { ...policy.defaultPolicyLimits, ...config.policyLimits },
    inForce: (namespace) => ruleBook.inForce(namespace),
    factsOf: ({ principal }) => access.factsOf(principal.namespace, principal.agent),
    readsOf: (caller) => reads.of(caller),
    openApproval: (caller, request) => approving.openApproval(approvals, caller, request),
    claimApproval: (caller, question, claim) => approving.claimApproval(approvals, caller, question, claim),
    awaitApproval: (caller, id, wait) => approving.awaitApproval(approvals, caller, id, wait),
    notify: async (namespace, given, { about, body }) => {
      const address = parseAddress(given);
      const to = formatAddress(address);
      const subject = "policy";
      if (address.kind === "agent" || address.kind === "topic") {
        await mail.tell(context, namespace, to, { about, subject, lines: [body] });
        return;
      }
      const message = { to: [to], subject, body, idempotency_key: about };
      await mail.sendMessage(context, operatorOf(namespace), message).catch((error: unknown) => {
        // Told already, of another resource.
        if (!isRefusal(error, "mailbox.idempotency_conflict")) throw error;
      });
    },
  });
  const rooms = roomsOf({
    ...{ store, context, directory, access, credentials, runs, topics, locks, state, budgets, approvals },
    ...{ recorder, reads },
    namespace: config.namespace,
  });
  return {
    config,
    store,
    mail: context,
    topics,
    locks,
    state,
    policy: budgets,
    approvals,
    directory,
    access,
    grants,
    tokens,
    credentials,
    agentRecords,
    killSwitch,
    reads,
    runs: runs.of(config.namespace),
    ruleBook,
    recorder,
    places,
    rooms,
    close: async () => {
      credentials.close();
      await runs.close();
      await recorder.close();
      await locks.close();
      hints.close();
      store.close();
    },
  };
}

/** At most once a minute, also where it fails. */
function seldom(work: () => Promise<unknown>): () => Promise<void> {
  let doneAt = 0;
  return async () => {
    if (Date.now() - doneAt < sweepSeldomMs) return;
    doneAt = Date.now();
    await work();
  };
}

/** What the server itself does on behalf of whoever put the rules there. */
function operatorOf(namespace: string): Caller {
  return { principal: operatorPrincipal(namespace), run: { id: "operator/policy" as RunId } };
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
async function openStore(config: Config, log: Log, timing: HouseOptions): Promise<Store> {
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

async function openRemote(url: string, log: Log, timing: HouseOptions): Promise<Store> {
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
  log: Log,
  { onRoundTrip, engineTimeoutMs }: Pick<HouseOptions, "onRoundTrip" | "engineTimeoutMs">,
): Promise<Store> {
  const ensure = () =>
    ensureEngine({
      dataDir: config.dataDir,
      engine: config.engine,
      idleMs: config.engineIdleMs,
      supervisorCommand: [process.execPath, executable(), "supervise"],
      supervisorEnvironment: withoutSecrets(process.env),
      ...(engineTimeoutMs !== undefined && { timeoutMs: engineTimeoutMs }),
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
  readonly namespace: string;
  readonly store: Store;
  readonly context: mail.MailContext;
  readonly directory: Directory;
  readonly access: Access;
  readonly credentials: Credentials;
  readonly runs: RunsOfNamespaces;
  readonly topics: Topics;
  readonly locks: lock.LockContext;
  readonly state: shared.StateContext;
  readonly budgets: policy.PolicyContext;
  readonly approvals: approving.ApprovalContext;
  readonly recorder: Recorder;
  readonly reads: policy.RunReads;
}

function roomsOf(parts: Parts): Rooms {
  const { namespace, store, context, directory, access, credentials, runs, topics, locks, state } = parts;
  const { budgets, approvals, reads, recorder } = parts;
  /** What is refused leaves a row, in this one place for all that a face can ask. */
  const guard = <T>(
    caller: Caller,
    action: string,
    given: readonly (string | undefined)[],
    work: () => Promise<T>,
  ): Promise<T> => recorder.guard(caller, () => ({ action, resource: namesIn(given) }), work);
  /** What a run got, or was told in vain, by a call that its end overtook: that gave back what it had before. */
  const giveBackOf = async (caller: Caller): Promise<void> => {
    const how = runs.howEnded(caller);
    if (how === undefined) return;
    await lock
      .releaseRun(locks, caller.principal.namespace, caller.run.id, true, how !== "left")
      .catch((error: Error) => {
        locks.deps.log("what a late call took is given back by a later beat", { error: error.message });
        runs.endAgain(caller);
      });
  };
  return {
    identity: {
      verify: (credential) =>
        recorder.guard(
          nobodyOf(namespace),
          () => unproved,
          () => credentials.verify(credential),
        ),
      check: (held) =>
        recorder.guard(
          nobodyOf(held.namespace, held),
          () => unproved,
          () => credentials.check(held),
        ),
      refused: (held, action, error) =>
        recorder.refused(nobodyOf(held.namespace, held), { ...unproved, action }, error),
      whileHolds: (held, onEnd) => credentials.whileHolds(held, onEnd),
    },
    runs: {
      begin: async (principal, isGuest) => {
        await recorder.guard(
          nobodyOf(principal.namespace, principal),
          () => unproved,
          () => credentials.check(principal),
        );
        return runs.begin(principal, isGuest);
      },
      seen: (caller) => runs.seen(caller),
      seenAgoMs: (caller) => runs.seenAgoMs(caller),
      end: (caller, how) => runs.end(caller, how),
    },
    access: {
      usableBy: (principal) =>
        recorder.guard(
          nobodyOf(principal.namespace, principal),
          () => unproved,
          () => access.usableBy(principal),
        ),
    },
    mail: {
      sendMessage: async (caller, input) =>
        (await answerToPostmaster({ context, approvals, recorder }, caller, input)) ??
        guard(caller, "mailbox.send", input.to, () => mail.sendMessage(context, caller, input)),
      readInbox: (caller, input, options) =>
        guard(caller, "mailbox.read", [input.mailbox ?? caller.principal.agent], () =>
          whileProved(credentials, caller, input.wait_seconds, options, (bounded) =>
            lock.whileAwaiting(locks, caller, mail.awaitedSender(input), (mayWait) =>
              mail.readInbox(context, caller, mayWait ? input : { ...input, wait_seconds: 0 }, bounded),
            ),
          ),
        ),
      ackMessages: (caller, input) =>
        guard(caller, "mailbox.read", [caller.principal.agent], () =>
          mail.ackMessages(context, caller, input),
        ),
      searchMessages: (caller, input) =>
        input.topic === undefined || input.sent
          ? guard(caller, "mailbox.read", [caller.principal.agent], () =>
              mail.searchMessages(context, caller, input),
            )
          : guard(caller, "topic.read", [topical(input.topic)], () =>
              mail.searchMessages(context, caller, input),
            ),
      manageDeadLetters: (caller, input) =>
        guard(caller, "admin.dead-letters", [input.mailbox ?? "*"], () =>
          mail.manageDeadLetters(context, caller, input),
        ),
      confirm: (caller, batch, reached) => mail.confirmBatch(context, caller, batch, reached),
      news: (caller) => mail.newsOf(context, caller),
      unread: async (caller) => {
        const admission = await context.deps.admit(caller, "mailbox.read", caller.principal.agent);
        await recorder.record(caller, admission);
        return mail.unreadMail(context, caller);
      },
      messageById: async (caller, id) => {
        const { delivery, states } = await guard(
          caller,
          "mailbox.read",
          [caller.principal.agent],
          async () => {
            await mail.noteCall(context, caller);
            return mail.messageById(context, caller, id);
          },
        );
        return whole(delivery, states);
      },
      thread: async (caller, id) => {
        const deliveries = await guard(caller, "mailbox.read", [caller.principal.agent], async () => {
          await mail.noteCall(context, caller);
          return mail.thread(context, caller, id);
        });
        return {
          messages: deliveries
            .slice(-50)
            .map((delivery) => whole(delivery, [{ to: delivery.message.to, state: delivery.state }])),
          earlier: Math.max(deliveries.length - 50, 0),
        };
      },
    },
    topics: {
      subscribeTopic: (caller, input) =>
        guard(caller, "topic.read", [topical(input.topic)], async () => {
          await mail.noteCall(context, caller);
          const receipt = await topics.subscribeTopic(caller, input);
          context.memory(caller).heardOfTopics(); // the hint may come after the reply
          return receipt;
        }),
      listTopics: async (caller) => {
        const listed = await guard(caller, "topic.read", ["topic:**"], async () => {
          await mail.noteCall(context, caller);
          const readable = await topics.listTopics(caller);
          const decision = { action: "topic.read", resource: "topic:**", outcome: "allow" } as const;
          // Each topic is decided by itself and left out where it may not be read: there is one list, so one row.
          const row = rowOf(caller, { ...decision, because: "lists what may be read" });
          await recorder.record(caller, { row });
          return readable;
        });
        return listed.map(({ name, messages, lastAt }) => ({
          name,
          messages,
          ...(lastAt ? { last_at: new Date(lastAt).toISOString() } : {}),
        }));
      },
      history: async (caller, topic, options) => {
        const page = await guard(caller, "topic.read", [topical(topic)], async () => {
          await mail.noteCall(context, caller);
          const found = await topics.history(caller, topic, options);
          await reads.note(
            caller,
            found.deliveries.map(({ message }) => message),
          );
          return found;
        });
        return {
          messages: page.deliveries.map(mail.shown),
          ...(page.before === undefined ? {} : { before: page.before }),
        };
      },
    },
    locks: {
      acquireLock: (caller, input, options = {}) =>
        guard(caller, "lock.acquire", input.resources?.map(lockable) ?? ["*"], async () => {
          await mail.noteCall(context, caller);
          try {
            return await whileProved(credentials, caller, input.wait_seconds, options, (bounded) =>
              lock.acquireLock(locks, caller, input, bounded),
            );
          } finally {
            await giveBackOf(caller);
          }
        }),
      releaseLock: (caller, input, options) =>
        guard(caller, "lock.release", ["*"], async () => {
          await mail.noteCall(context, caller);
          return lock.releaseLock(locks, caller, input, options);
        }),
      listLocks: (caller, input) =>
        guard(
          caller,
          "lock.read",
          [input.resource === undefined ? "*" : lockable(input.resource)],
          async () => {
            await mail.noteCall(context, caller);
            return lock.listLocks(locks, caller, input);
          },
        ),
      guardFiles: (principal, { files, take, tokens }) => {
        const caller = { principal, run: { id: lock.guardRun(principal.agent, take?.session ?? "") } };
        // An agent that was never here has no mailbox to record it by.
        const nobody = nobodyOf(principal.namespace, principal);
        return guard(nobody, "lock.read", files.slice(0, 1).map(lockable), async () => {
          await mail.noteCall(context, ofHooks(principal));
          // A hook has no run: without this nobody might be there to know a clock that jumps from time that passes.
          runs.attend(principal.namespace);
          const onRefused = (resource: string, error: MailboxError): Promise<void> =>
            recorder.refused(nobody, { action: "lock.acquire", resource }, error);
          return lock.guardFiles(locks, caller, files, {
            onRefused,
            ...(tokens && { tokens }),
            ...(take && { takeSeconds: take.lease_seconds }),
          });
        });
      },
      guardStop: (principal, session) =>
        guard(nobodyOf(principal.namespace, principal), "lock.release", ["*"], async () => {
          await mail.noteCall(context, ofHooks(principal));
          const caller = { principal, run: { id: lock.guardRun(principal.agent, session) } };
          const decided = {
            action: "lock.release",
            resource: "*",
            outcome: "allow",
            because: "own",
          } as const;
          await recorder.record(caller, { row: rowOf(caller, decided) });
          await lock.releaseRun(locks, principal.namespace, caller.run.id, true);
        }),
      hasAny: (principal) => lock.hasLocks(locks, principal),
      // What a run that is over would be told, the next one is.
      news: async (caller) => (runs.howEnded(caller) ? [] : lock.lockNews(locks, caller)),
      keepNews: (caller, news) => {
        lock.keepNews(locks, caller, news);
        void giveBackOf(caller);
      },
      noteAbsence: (caller, isAbsent) => lock.noteAbsence(locks, caller, isAbsent),
    },
    state: {
      getState: (caller, input) =>
        guard(caller, "state.read", [`state:${input.key ?? input.prefix ?? ""}`], async () => {
          await mail.noteCall(context, caller);
          return shared.getState(state, caller, input);
        }),
      putState: (caller, input) =>
        guard(caller, "state.write", [`state:${input.key}`], async () => {
          await mail.noteCall(context, caller);
          return shared.putState(state, caller, input);
        }),
    },
    policy: {
      checkPolicy: (caller, input, options: policy.CheckOptions = {}) =>
        guard(caller, "policy.check", ["*"], async () => {
          await mail.noteCall(context, caller);
          const approver =
            input.approval_id && input.wait_seconds
              ? await approving.onlyApprover(approvals, caller, input.approval_id)
              : undefined;
          return whileProved(credentials, caller, input.wait_seconds, options, (bounded) =>
            lock.whileAwaiting(locks, caller, approver, (mayWait) =>
              policy.checkPolicy(budgets, caller, mayWait ? input : { ...input, wait_seconds: 0 }, bounded),
            ),
          );
        }),
      settleReservation: (caller, input) =>
        guard(caller, "budget.settle", ["*"], async () => {
          await mail.noteCall(context, caller);
          return policy.settleReservation(budgets, caller, input);
        }),
      news: async (caller) => budgets.duties(caller),
      keepNews: (caller, duties) => {
        for (const { action, obligations } of duties) budgets.owe(caller, action, obligations);
      },
      hook: (principal, event, options) => {
        const caller = ofHooks(principal);
        // An agent that was never here has no mailbox to record it by.
        return guard(nobodyOf(principal.namespace, principal), "policy.check", ["*"], async () => {
          // Whoever opens the store for an agent could do so for one that was stopped.
          await access.refuseStopped(principal.namespace, principal.agent);
          await mail.noteCall(context, caller);
          // Reading what a client is about to do may take milliseconds, and the store answers many at once.
          const turn = loopTurns.mine();
          if (turn) await turn;
          return policy.answerHook(budgets, caller, event, options);
        });
      },
    },
    approvals: {
      attendApprovals: (caller, input) =>
        guard(caller, "approval.decide", [requestNamed(input.approval_id)], async () => {
          await mail.noteCall(context, caller);
          return approving.attendApprovals(approvals, caller, input);
        }),
      listApprovals: (caller) =>
        guard(caller, "approval.read", ["*"], () => approving.listApprovals(approvals, caller)),
      getApproval: (caller, id) =>
        guard(caller, "approval.read", [requestNamed(id)], () =>
          approving.getApproval(approvals, caller, id),
        ),
      decideApproval: (caller, decision) =>
        guard(caller, "approval.decide", [requestNamed(decision.approval_id)], () =>
          approving.decideApproval(approvals, caller, decision, "http"),
        ),
      askedOfClient: (caller, id) =>
        guard(caller, "policy.check", ["*"], () => approving.askedOfClient(approvals, caller, id)),
      untilDecided: (caller, id, ends) =>
        guard(caller, "policy.check", [requestNamed(id)], () =>
          approving.awaitApproval(approvals, caller, id, { ...ends, waitMs: formMs }),
        ),
      decideByClient: (caller, decision) =>
        guard(caller, "policy.check", [requestNamed(decision.approval_id)], () =>
          approving.decideByClient(approvals, caller, decision),
        ),
    },
    approvalLinks: {
      see: (token) =>
        recorder.guard(
          nobodyOf(namespace),
          () => ({ action: "approval.read", resource: requestNamed(token.split("~")[0]) }),
          () => approving.seeLink(approvals, namespace, token),
        ),
      seeAgain: (token) => approving.linkedApproval(approvals, namespace, token),
      decide: (token, decision) =>
        recorder.guard(
          nobodyOf(namespace),
          () => ({ action: "approval.decide", resource: requestNamed(token.split("~")[0]) }),
          () => approving.decideByLink(approvals, namespace, token, decision),
        ),
    },
    agents: {
      findRecipients: (caller, input) =>
        guard(caller, "agents.find", ["*"], async () => {
          await mail.noteCall(context, caller);
          await recorder.record(caller, await context.deps.admit(caller, "agents.find", "*"));
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
        }),
      myStatus: (caller, input) =>
        guard(caller, "agents.describe", [caller.principal.agent], async () => {
          await mail.noteCall(context, caller);
          const admission = await context.deps.admit(caller, "agents.describe", caller.principal.agent);
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
              budgets: (asking) => policy.budgetsOf(budgets, asking),
              locks: (asking) => lock.ownLocks(locks, asking),
              roles: async (asking) => (await access.rightsOf(asking)).roles,
              approvals: (asking) => approving.countWaiting(approvals, asking),
              record: (asking, admitted) => recorder.record(asking, admitted),
              store,
            },
            caller,
            input,
            admission,
          );
        }),
    },
    watch: async (caller, target, onChange, onEnd) => {
      // Whoever is no longer who it was is told nothing more, not even that something changed.
      let holds = true;
      const [action, resource] = lookedAt(caller, target);
      const stopWatching = await guard(caller, action, [resource], async () => {
        await credentials.check(caller.principal);
        return watch({ context, topics, locks, state }, caller, target, () => holds && onChange());
      });
      const stopHolding = credentials.whileHolds(caller.principal, () => {
        holds = false;
        stopWatching();
        onEnd?.();
      });
      return () => {
        stopHolding();
        stopWatching();
      };
    },
  };
}

/** A request as the audit names it, where what was given looks like one. */
function requestNamed(id: string | undefined): string {
  return id !== undefined && /^ap-[0-9a-z]{12}$/.test(id) ? `approval:${id}` : "*";
}

/** A reply to the postmaster is for whoever the message was about; nobody else reads there. */
async function answerToPostmaster(
  { context, approvals, recorder }: Pick<Parts, "context" | "approvals" | "recorder">,
  caller: Caller,
  input: mail.SendMessage,
): Promise<mail.SendReceipt | undefined> {
  const { to, in_reply_to: inReplyTo, body, data, idempotency_key: idempotencyKey } = input;
  if (inReplyTo === undefined || to.length !== 1 || !/^\s*@?postmaster\s*$/i.test(to[0]!)) return undefined;
  if (input.fencing_token !== undefined)
    refuse("input.invalid", {
      problem: "a reply to the postmaster takes neither resource nor fencing_token",
    });
  let about = "*";
  const decided = await recorder.guard(
    caller,
    () => ({ action: "approval.decide", resource: about }),
    async () => {
      await mail.noteCall(context, caller);
      const onFound = (id: string): void => {
        about = requestNamed(id);
      };
      return approving.decideByMail(approvals, caller, { inReplyTo, body, data, idempotencyKey, onFound });
    },
  );
  if (!decided) return undefined;
  await mail.settleAnswered(context, caller, inReplyTo);
  const { approval, agreeing, repeated } = decided;
  const { id, state, quorum } = approval;
  return {
    message_id: inReplyTo,
    recipients: [{ to: "postmaster", state: "stored" }],
    replayed: repeated,
    decided: { approval_id: id, state, agreeing, quorum },
  };
}

/** Nobody calls so: for what the system itself does. */
function byPostmaster(namespace: string): Caller {
  const principal = { ...operatorPrincipal(namespace), agent: "postmaster" };
  return { principal, run: { id: "" as Caller["run"]["id"] } };
}

/** What somebody who voted may now, unless what proved them was revoked since, or is not believed here any more. */
async function rightsOfVoter(
  access: Access,
  namespace: string,
  { name, verified, roles, proof }: approving.Voter,
): Promise<Rights | undefined> {
  if (proof.startsWith("token:")) {
    const token = await access.token(namespace, proof.slice("token:".length));
    if (!token || token.revokedAt !== undefined) return undefined;
  }
  if (proof === "link" && (await access.isRevoked(namespace, name))) return undefined;
  if (proof === "none" && (await access.rules(namespace)).tokensRequired) return undefined;
  return access.rightsByRules({ namespace, agent: name, verified, roles, credential: { kind: "none" } });
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

/** What whoever watches something asks to look at. */
function lookedAt(
  { principal }: Caller,
  target: Parameters<Rooms["watch"]>[1],
): readonly [action: Action, resource: string] {
  switch (target.kind) {
    case "inbox":
      return ["mailbox.read", principal.agent];
    case "topic":
      return ["topic.read", topical(target.name)];
    case "topics":
      return ["topic.read", "*"];
    case "locks":
      return ["lock.read", "*"];
    case "state":
      return ["state.read", `state:${target.key}`];
    case "agents":
      return ["agents.find", "*"];
  }
}

async function watch(
  { context, topics, locks, state }: Pick<Parts, "context" | "topics" | "locks" | "state">,
  caller: Caller,
  target: Parameters<Rooms["watch"]>[1],
  onChange: () => void,
): Promise<() => void> {
  const { namespace, agent } = caller.principal;
  const { admit, hints, record, rightsOf } = context.deps;
  /** Asked again with each change: who may not look any more is told of nothing. */
  const look = new RepeatedLook(async () => {
    const may = await rightsOf(caller);
    if (target.kind === "inbox" ? may("mailbox.read", agent) : may("agents.find", "*")) onChange();
  });
  const stopAll = (stops: readonly (() => void)[]) => (): void => {
    look.stop();
    for (const stop of stops) stop();
  };
  switch (target.kind) {
    case "inbox": {
      await record(caller, await admit(caller, "mailbox.read", agent));
      return stopAll(
        await Promise.all([
          hints.listen(mailboxKeys(namespace, agent).channel, () => look.again()),
          topics.feed.listen(caller, () => look.again()),
        ]),
      );
    }
    case "topic":
      return topics.watchTopic(caller, target.name, onChange);
    case "topics":
      return topics.watchTopics(caller, onChange);
    case "locks":
      return lock.watchLocks(locks, caller, onChange);
    case "state":
      return shared.watchState(state, caller, target.key, onChange);
    case "agents":
      await record(caller, await admit(caller, "agents.find", "*"));
      return stopAll([await hints.listen(directoryKeys(namespace).channel, () => look.again())]);
  }
}

/** What was asked for by somebody who could not prove who it is. */
const unproved = { action: "auth.prove", resource: "*" };

/** A caller as far as it is known before it has a run: by the name it says, or not at all. */
function nobodyOf(namespace: string, held: Partial<Principal> = {}): Caller {
  const nobody = { agent: "", verified: false, roles: [], credential: { kind: "none" } } as const;
  return { principal: { ...nobody, ...held, namespace }, run: { id: "" as Caller["run"]["id"] } };
}

const namesShown = 20;

/** Addresses as they were given, checked: what is none is written as `?`, for it may be anything. */
function namesIn(given: readonly (string | undefined)[]): string {
  const names = given.slice(0, namesShown).map((one) => {
    if (one === undefined || one === "*" || one === "topic:**") return one ?? "?";
    try {
      if (one.startsWith("approval:")) return requestNamed(one.slice("approval:".length));
      if (one.startsWith("lock:")) return `lock:${parseResource(one.slice("lock:".length))}`;
      if (one.startsWith("state:")) return stateNamed(parseStatePrefix(one.slice("state:".length)));
      return one.startsWith("topic:") ? `topic:${parsePattern(one)}` : formatAddress(parseAddress(one));
    } catch {
      return "?";
    }
  });
  return [...names, ...(given.length > namesShown ? [`and ${given.length - namesShown} more`] : [])].join(
    ",",
  );
}

/** Keys that begin so, as the gate names them. */
function stateNamed(prefix: string): string {
  return prefix === "" ? "*" : `state:${prefix.replace(/\/$/, "")}`;
}

function topical(topic: string): string {
  return topic.startsWith("topic:") ? topic : `topic:${topic.replace(/^#/, "")}`;
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

/** One for all hooks of an agent: what is remembered of a caller is not to grow with their sessions. */
function ofHooks(principal: Principal): Caller {
  return { principal, run: { id: `${principal.agent}/hook` as RunId } };
}

/** What is to be locked, as the gate and the audit name it. */
function lockable(resource: string): string {
  return `lock:${resource}`;
}
