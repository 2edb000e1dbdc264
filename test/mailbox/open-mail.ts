import { Access, Directory, Runs } from "../../src/agents/index.js";
import { Recorder } from "../../src/audit/index.js";
import { refuse } from "../../src/errors/index.js";
import {
  type Admission,
  type Caller,
  localPrincipal,
  operatorPrincipal,
  type RunId,
} from "../../src/identity/index.js";
import {
  type AckMessages,
  type AckResult,
  ackMessages,
  defaultMailboxLimits,
  type Inbox,
  type MailboxLimits,
  MailContext,
  type MailDependencies,
  type ReadInbox,
  readInbox,
  releaseRun,
  type SendMessage,
  type SendReceipt,
  sendMessage,
  sweepOutboxes,
  type TopicFeed,
} from "../../src/mailbox/index.js";
import { Hints, Store } from "../../src/redis/index.js";
import { patientMs } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

/** A feed of somebody who follows nothing: the mailbox room by itself. */
const noTopics: TopicFeed = {
  follows: async () => false,
  heads: async () => ({ heads: [], unread: 0, urgent: 0, open: 0, gaps: [] }),
  take: async () => ({ deliveries: [], collapsed: [] }),
  open: async () => [],
  find: async () => undefined,
  settle: async () => new Map(),
  releaseRun: async () => {},
  listen: async () => () => {},
  search: async () => ({ deliveries: [] }),
};

export interface MailOffice {
  readonly context: MailContext;
  readonly store: Store;
  readonly runs: Runs;
  readonly namespace: string;
  /** The command line's caller. */
  readonly operator: Caller;
  readonly access: Access;
  as(agent: string): Promise<Clerk>;
  sweep(): Promise<void>;
  close(): Promise<void>;
}

/** For what is not asked for by anybody in a test. */
export const unrecorded: Admission = { row: "" };

/** One run of an agent, with the room's use cases bound to it. Replies count as arrived unless said otherwise. */
export interface Clerk {
  readonly caller: Caller;
  send(to: string | string[], body: string, more?: Partial<SendMessage>): Promise<SendReceipt>;
  read(
    input?: ReadInbox,
    options?: { signal?: AbortSignal; reached?: boolean; maxChars?: number },
  ): Promise<Inbox>;
  ack(
    ids: string | string[],
    outcome?: AckMessages["outcome"],
    more?: Partial<AckMessages>,
  ): Promise<AckResult>;
  end(inGoodOrder?: boolean): Promise<void>;
}

export async function openMail(
  url: string,
  limits: Partial<MailboxLimits> = {},
  deps: Partial<
    Pick<MailDependencies, "filesDir" | "publish" | "feed" | "leaseOf" | "topicRetentionMs">
  > = {},
): Promise<MailOffice> {
  const namespace = newNamespace();
  const store = await Store.open({ endpoint: { url }, label: "test", callTimeoutMs: patientMs });
  const hints = new Hints({ url });
  const log = (event: string, facts: Record<string, unknown>): void => {
    process.stderr.write(`${event} ${JSON.stringify(facts)}\n`);
  };
  const access = new Access({ store, hints });
  const recorder = new Recorder({ store, hasRun: () => true, log });
  const runs = new Runs({
    store,
    namespace,
    release: (agent, run, how) => releaseRun(context, namespace, agent, run, how !== "gone"),
    sweeps: { outboxes: () => sweepOutboxes(context, namespace) },
    log,
  });
  const context: MailContext = new MailContext({
    store,
    hints,
    limits: { ...defaultMailboxLimits, ...limits },
    admit: (caller, action, resource) => access.admit(caller, action, resource),
    rightsOf: (caller) => access.rightsOf(caller),
    record: (caller, admission) => recorder.record(caller, admission),
    feed: noTopics,
    directory: new Directory(store, 100),
    runs: {
      active: (caller) => runs.active(caller),
      releaseGone: (_, gone) => runs.releaseGone(gone),
    },
    publish: () => Promise.reject(new Error("no topics here")),
    withdraw: () => Promise.reject(new Error("no topics here")),
    leaseOf: () => Promise.resolve(refuse("lock.stale_token", { done: "sent" })),
    isStopped: async (of, agent) => (await access.rules(of)).stopped.has(agent),
    noteReads: async () => undefined,
    decideEach: async () => ({
      refused: new Map(),
      admitted: async () => undefined,
      settle: async () => undefined,
    }),
    log,
    ...deps,
  });
  return {
    context,
    store,
    runs,
    namespace,
    operator: {
      principal: operatorPrincipal(namespace),
      run: { id: "operator/command-line" as RunId },
    },
    access,
    as: async (agent) => clerk(context, runs, await runs.begin(localPrincipal(namespace, agent))),
    sweep: () => sweepOutboxes(context, namespace),
    close: async () => {
      await runs.close();
      hints.close();
      store.close();
    },
  };
}

function clerk(context: MailContext, runs: Runs, caller: Caller): Clerk {
  return {
    caller,
    send: (to, body, more) =>
      sendMessage(context, caller, { to: typeof to === "string" ? [to] : to, body, ...more }),
    read: async (input = {}, options = {}) => {
      const inbox = await readInbox(context, caller, input, { maxChars: 10_500, ...options });
      if (inbox.batch) context.memory(caller).confirm(inbox.batch, options.reached ?? true);
      return inbox;
    },
    ack: (ids, outcome, more) =>
      ackMessages(context, caller, {
        ids: typeof ids === "string" ? [ids] : ids,
        ...(outcome ? { outcome } : {}),
        ...more,
      }),
    end: async (inGoodOrder = true) => {
      if (inGoodOrder) await runs.end(caller);
      else
        await releaseRun(context, caller.principal.namespace, caller.principal.agent, caller.run.id, false);
    },
  };
}
