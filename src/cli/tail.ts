import { parsePattern, patternRoot } from "../addresses/index.js";
import type { House } from "../compose.js";
import type { Config } from "../config/index.js";
import { isRefusal } from "../errors/index.js";
import * as mail from "../mailbox/index.js";
import { mailboxNamed } from "./mailbox-names.js";
import { messageAsJson, printPassing } from "./message-lines.js";
import { printJson } from "./print.js";
import { terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { asOperator, operator, type Switches, withHouse } from "./with-house.js";

/** Something whose messages can be listed from anywhere on and listened to. */
interface Source {
  readonly inTopic: boolean;
  newest(limit: number): Promise<readonly mail.Delivery[]>;
  /** What came since the last look, oldest first, each message once. */
  since(): Promise<readonly mail.Delivery[]>;
  watch(onChange: () => void): Promise<() => void>;
}

/** Shows messages in the order in which they came, newest last, and with `follow` as they come. Takes none of them. */
export async function tail(
  switches: Switches & {
    readonly topic?: string;
    readonly queue?: string;
    readonly follow?: boolean;
    readonly lines: number;
  },
): Promise<void> {
  const { topic, queue } = switches;
  const agent = switches.agent ?? (topic || queue ? undefined : terminal().env.LLM_MAILBOX_AGENT);
  if ([agent, topic, queue].filter((one) => one !== undefined).length !== 1)
    throw new UsageError("tail shows one of --agent NAME, --queue NAME and --topic PATTERN");
  await withHouse(switches, async (house, config) => {
    const mailbox = (): string =>
      mailboxNamed(queue === undefined ? agent! : `queue:${queue.replace(/^queue:/i, "")}`);
    const [source, action, resource] =
      topic === undefined
        ? ([mailboxSource(house, config, mailbox()), "mailbox.read", mailbox()] as const)
        : ([topicSource(house, config, topic), "topic.read", `topic:${parsePattern(topic)}`] as const);
    await asOperator(house, action, resource, (caller, admission) =>
      house.recorder.record(caller, admission),
    );
    const show = (deliveries: readonly mail.Delivery[]): void => {
      for (const delivery of deliveries)
        if (switches.json) printJson(messageAsJson(delivery, source.inTopic), 0);
        else printPassing(delivery, source.inTopic);
    };
    if (!switches.follow) show(await source.newest(switches.lines));
    else await follow(source, switches.lines, show);
  });
}

/** Until the terminal says stop. */
async function follow(
  source: Source,
  lines: number,
  show: (deliveries: readonly mail.Delivery[]) => void,
): Promise<void> {
  let changed = false;
  let wake = (): void => {};
  let ended = false;
  const end = (): void => {
    ended = true;
    wake();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, end);
  // Listening begins before looking, so that what comes in between is not missed.
  const stop = await source.watch(() => {
    changed = true;
    wake();
  });
  // A pending promise alone does not keep a process alive.
  const awake = setInterval(() => {}, 60_000);
  try {
    show(await source.newest(lines));
    while (!ended) {
      if (!changed)
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (changed || ended) resolve();
        });
      changed = false;
      if (ended) break;
      try {
        show(await source.since());
      } catch (error) {
        // Listeners are called when the store is back.
        if (!isRefusal(error, "store.unavailable")) throw error;
        terminal().stderr.write(`llm-mailbox: ${error.message}\n`);
      }
    }
  } finally {
    clearInterval(awake);
    stop();
  }
}

function mailboxSource({ mail: context }: House, { namespace }: Config, mailbox: string): Source {
  let last = 0;
  const shown = (deliveries: readonly mail.Delivery[]): readonly mail.Delivery[] => {
    last = Math.max(last, ...deliveries.map(({ sequence }) => sequence));
    return deliveries;
  };
  return {
    inTopic: false,
    newest: async (limit) => {
      const deliveries = await mail.recentMessages(context, namespace, mailbox, {
        limit: Math.max(limit, 1),
      });
      return shown(deliveries).slice(limit === 0 ? deliveries.length : 0);
    },
    since: async () => shown(await mail.recentMessages(context, namespace, mailbox, { after: last })),
    watch: (onChange) => mail.watchMailbox(context, namespace, mailbox, onChange),
  };
}

/** Roots of topics count by clocks that may differ a little: what came lately is looked at again and told by its id. */
const overlapMs = 10_000;
const searchedAtOnce = 200;

function topicSource({ topics, store }: House, config: Config, given: string): Source {
  const pattern = parsePattern(given);
  const caller = operator(config);
  const seen = new Map<string, number>();
  let lookedAt = store.now();
  const fresh = (newestFirst: readonly mail.Delivery[]): readonly mail.Delivery[] => {
    const deliveries = newestFirst.filter(({ message }) => !seen.has(message.id)).reverse();
    for (const { message } of deliveries) seen.set(message.id, message.sentAt);
    for (const [id, at] of seen) if (at < lookedAt - 10 * overlapMs) seen.delete(id);
    return deliveries;
  };
  return {
    inTopic: true,
    newest: async (limit) => {
      lookedAt = store.now();
      const { deliveries } = await topics.feed.search(caller, { topic: pattern, limit: Math.max(limit, 50) });
      return fresh(deliveries).slice(-limit || deliveries.length);
    },
    since: async () => {
      const since = lookedAt - overlapMs;
      lookedAt = store.now();
      const found: mail.Delivery[] = [];
      let before: string | undefined;
      do {
        const page = await topics.feed.search(caller, {
          topic: pattern,
          since,
          limit: searchedAtOnce,
          ...(before === undefined ? {} : { before }),
        });
        found.push(...page.deliveries);
        before = page.before;
      } while (before !== undefined);
      return fresh(found);
    },
    watch: (onChange) =>
      patternRoot(pattern) === undefined
        ? topics.watchTopics(caller, onChange)
        : topics.watchTopic(caller, pattern, onChange),
  };
}
