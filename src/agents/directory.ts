import { nearest } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { Admission, Caller } from "../identity/index.js";
import { directoryKeys, loadScript, type Store } from "../redis/index.js";
import type { FindRecipients, Recipients } from "./contract.js";

const openMailbox = loadScript(import.meta.url, "open-mailbox.lua");
const setDirectory = loadScript(import.meta.url, "set-directory.lua");
const describeAgent = loadScript(import.meta.url, "describe-agent.lua");

const mostListed = 50;

export interface Described {
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
  readonly description?: string;
  readonly capabilities: readonly string[];
}

export interface QueueSettings {
  readonly claimSeconds?: number;
}

/** The names of a namespace: which agents and queues there are, and which name a slip probably meant. */
export class Directory {
  readonly #store: Store;
  readonly #mostUnclaimed: number;
  /** Names never go away while we run, so what was seen once needs no second look. */
  readonly #known = new Set<string>();
  /** Names that have a mailbox, claimed or not: they are no slips. */
  readonly #open = new Set<string>();

  constructor(store: Store, mostUnclaimed: number) {
    this.#store = store;
    this.#mostUnclaimed = mostUnclaimed;
  }

  /**
   * Makes sure that the name can be written to. `opened`: nobody of that name has been seen, and a mailbox was opened.
   *
   * @throws {MailboxError} `mailbox.unknown_recipient` for a near miss of a known name, unless `create`;
   *   `mailbox.too_many_unclaimed`
   */
  async reach(
    caller: Caller,
    kind: "agent" | "queue",
    name: string,
    create: boolean,
  ): Promise<"known" | "opened"> {
    const { namespace, agent } = caller.principal;
    const memo = `${namespace}/${kind}/${name}`;
    if (this.#known.has(memo)) return "known";
    const keys = directoryKeys(namespace);
    const unseen =
      name !== agent && !create && !this.#open.has(memo) && (await this.isUnseen(namespace, kind, name));
    const [word] = await this.#store.run(
      openMailbox,
      [keys.agents, keys.queues, keys.unclaimedBy, keys.channel, keys.settings],
      [kind, name, agent, this.#mostUnclaimed, "{}"],
    );
    if (word === "CLOSED")
      refuse("mailbox.closed_directory", { given: kind === "queue" ? `queue:${name}` : name });
    if (word === "TOO_MANY") refuse("mailbox.too_many_unclaimed", { limit: this.#mostUnclaimed });
    if (word === "KNOWN" || kind === "queue") this.#known.add(memo);
    this.#open.add(memo);
    if (word === "UNCLAIMED") return "opened";
    // Opened a moment ago: by our own attempt whose answer was lost, or by somebody who wrote there just now.
    return word === "OPENED" || unseen ? "opened" : "known";
  }

  /**
   * Whether neither an agent nor an open mailbox has this name. Opens nothing.
   *
   * @throws {MailboxError} `mailbox.unknown_recipient` for a near miss of a known name
   */
  async isUnseen(namespace: string, kind: "agent" | "queue", name: string): Promise<boolean> {
    if (this.#known.has(`${namespace}/${kind}/${name}`)) return false;
    const mailboxes = await this.mailboxes(namespace);
    const queues = mailboxes.flatMap((one) => (one.startsWith("queue:") ? [one.slice("queue:".length)] : []));
    const names = new Set(kind === "queue" ? queues : mailboxes.filter((one) => !one.startsWith("queue:")));
    if (names.has(name)) return false;
    const meant =
      nearest(name, names) ?? (kind === "agent" && queues.includes(name) ? `queue:${name}` : undefined);
    if (meant !== undefined)
      refuse("mailbox.unknown_recipient", {
        given: kind === "queue" ? `queue:${name}` : name,
        nearest: kind === "queue" ? `queue:${meant}` : meant,
      });
    return true;
  }

  /** What becomes of mail to names nobody has: a mailbox is opened for them, or the send is refused. */
  async setUnknownRecipients(
    namespace: string,
    rule: "open" | "refuse",
    admission: Admission,
  ): Promise<void> {
    const { settings, audit } = directoryKeys(namespace);
    await this.#store.run(setDirectory, [settings, audit], ["unknown-recipients", rule, admission.row]);
  }

  async unknownRecipients(namespace: string): Promise<"open" | "refuse"> {
    const rule = await this.#store.command("HGET", directoryKeys(namespace).settings, "unknown-recipients");
    return rule === "refuse" ? "refuse" : "open";
  }

  async createQueue(
    namespace: string,
    name: string,
    settings: QueueSettings,
    admission: Admission,
  ): Promise<void> {
    const { queues, audit } = directoryKeys(namespace);
    await this.#store.run(setDirectory, [queues, audit], [name, JSON.stringify(settings), admission.row]);
  }

  async agents(namespace: string): Promise<ReadonlyMap<string, Described>> {
    const agents = await this.#store.hash(directoryKeys(namespace).agents);
    return new Map([...agents].map(([name, text]) => [name, described(text)]));
  }

  async queues(namespace: string): Promise<ReadonlyMap<string, QueueSettings>> {
    const queues = await this.#store.hash(directoryKeys(namespace).queues);
    return new Map([...queues].map(([name, text]) => [name, JSON.parse(text) as QueueSettings]));
  }

  /** Names that were written to and that no agent has claimed yet, and who opened their mailboxes. */
  async unclaimed(namespace: string): Promise<ReadonlyMap<string, string>> {
    const fields = await this.#store.hash(directoryKeys(namespace).unclaimedBy);
    const named = [...fields].filter(([field]) => field.startsWith("name:"));
    return new Map(named.map(([field, opener]) => [field.slice("name:".length), opener]));
  }

  /** Every mailbox there is, in order: agents, names that mail was sent to before anybody claimed them, and queues. */
  async mailboxes(namespace: string): Promise<readonly string[]> {
    const keys = directoryKeys(namespace);
    const [agents, unclaimed, queues] = await Promise.all([
      this.#store.command("HKEYS", keys.agents) as Promise<string[]>,
      this.unclaimed(namespace),
      this.#store.command("HKEYS", keys.queues) as Promise<string[]>,
    ]);
    const names = new Set([...agents, ...unclaimed.keys()]);
    return [...[...names].sort(), ...queues.sort().map((queue) => `queue:${queue}`)];
  }

  async describe(
    caller: Caller,
    description: string | undefined,
    capabilities: readonly string[] | undefined,
    admission: Admission,
  ): Promise<void> {
    const { namespace, agent } = caller.principal;
    const before = (await this.agents(namespace)).get(agent);
    const text = description ?? before?.description;
    await this.#store.run(
      describeAgent,
      [directoryKeys(namespace).agents, directoryKeys(namespace).audit],
      [
        agent,
        JSON.stringify({
          ...(text ? { description: text } : {}),
          capabilities: capabilities ?? before?.capabilities ?? [],
        }),
        admission.row,
      ],
    );
  }

  async find(
    caller: Caller,
    ask: FindRecipients,
    more: {
      online: () => Promise<ReadonlySet<string>>;
      topics: () => Promise<readonly string[]>;
      ready: (queue: string) => Promise<number>;
    },
  ): Promise<Recipients> {
    const { namespace } = caller.principal;
    const [agents, queues, topics, online] = await Promise.all([
      this.agents(namespace),
      this.queues(namespace),
      more.topics(),
      more.online(),
    ]);
    const text = ask.text?.toLowerCase() ?? "";
    const has = (words: string): boolean => words.toLowerCase().includes(text);
    const found = [...agents]
      .map(([name, agent]) => ({ name, agent, online: online.has(name) }))
      .filter(({ name, agent }) => has(name) || has(agent.description ?? "") || agent.capabilities.some(has))
      .filter(({ agent }) => !ask.capability || agent.capabilities.includes(ask.capability))
      .filter((entry) => ask.online === undefined || entry.online === ask.online)
      .sort((a, b) => Number(b.online) - Number(a.online) || b.agent.lastSeenAt - a.agent.lastSeenAt);
    const onlyAgents = ask.capability !== undefined || ask.online !== undefined;
    const foundQueues = onlyAgents ? [] : [...queues.keys()].filter(has).sort();
    const foundTopics = onlyAgents ? [] : topics.filter(has).sort();
    const listed = {
      agents: found.slice(0, mostListed),
      queues: foundQueues.slice(0, mostListed),
      topics: foundTopics.slice(0, mostListed),
    };
    return {
      agents: listed.agents.map(({ name, agent, online: isOnline }) => ({
        name,
        online: isOnline,
        last_seen: new Date(agent.lastSeenAt).toISOString(),
        ...(agent.description ? { description: agent.description } : {}),
        capabilities: agent.capabilities,
      })),
      queues: await Promise.all(listed.queues.map(async (name) => ({ name, ready: await more.ready(name) }))),
      topics: listed.topics.map((name) => ({ name })),
      more:
        found.length +
        foundQueues.length +
        foundTopics.length -
        (listed.agents.length + listed.queues.length + listed.topics.length),
    };
  }
}

function described(text: string): Described {
  const [first, last, ...rest] = text.split("|");
  const about = JSON.parse(rest.join("|")) as { description?: string; capabilities: string[] };
  return { firstSeenAt: Number(first), lastSeenAt: Number(last), ...about };
}
