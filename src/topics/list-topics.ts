import { matchesTopic, parentsOf, type TopicPattern } from "../addresses/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import { isUnbound, type TopicContext } from "./context.js";
import { ownSettings, settingField, settingNames, type TopicSettings } from "./settings.js";

const lookScript = loadScript(import.meta.url, "look-root.lua");

export interface TopicRecord {
  readonly createdAt: number;
  readonly lastAt: number;
  readonly bytes: number;
  readonly published: number;
  /** Somebody created it on purpose: it stays when it is idle. */
  readonly explicit: boolean;
}

/** What one root holds, read in one go. */
export class RootListing {
  readonly version: string;
  readonly topics: ReadonlyMap<string, TopicRecord>;
  readonly #fields: ReadonlyMap<string, string>;
  readonly #bindings: readonly { readonly agent: string; readonly pattern: string }[];

  constructor(
    version: string,
    topics: readonly string[],
    settings: readonly string[],
    bindings: readonly string[],
  ) {
    this.version = version;
    this.topics = pairs(topics, parseRecord);
    this.#fields = pairs(settings, (text) => text);
    this.#bindings = bindings.map((text) => {
      const space = text.indexOf(" ");
      return { agent: text.slice(0, space), pattern: text.slice(space + 1) };
    });
  }

  get hasLimits(): boolean {
    return [...this.#fields.keys()].some((field) => field.endsWith("|subscribers_most"));
  }

  own(topic: string): TopicSettings {
    return ownSettings(this.#fields, topic);
  }

  /** What counts for the topic: its own settings, or else those of its nearest parent that has them. */
  effective(topic: string): TopicSettings {
    const settings: Record<string, unknown> = {};
    for (const at of [topic, ...parentsOf(topic)])
      for (const [name, value] of Object.entries(this.own(at))) settings[name] ??= value;
    return settings as TopicSettings;
  }

  mayRead(topic: string, agent: string): boolean {
    return isOn(this.effective(topic).readers, agent);
  }

  mayPublish(topic: string, agent: string): boolean {
    return isOn(this.effective(topic).publishers, agent);
  }

  isSet(topic: string): boolean {
    return settingNames.some((name) => this.#fields.has(settingField(topic, name)));
  }

  /** Agents with a subscription that means the topic, each once. */
  subscribersOf(topic: string): ReadonlySet<string> {
    const agents = new Set<string>();
    const means = new Map<string, boolean>();
    for (const { agent, pattern } of this.#bindings) {
      let match = means.get(pattern);
      if (match === undefined) {
        match = matchesTopic(pattern as TopicPattern, topic);
        means.set(pattern, match);
      }
      if (match) agents.add(agent);
    }
    return agents;
  }

  /** Agents bound to exactly this topic. */
  boundTo(topic: string): readonly string[] {
    return this.#bindings.filter((one) => one.pattern === topic).map((one) => one.agent);
  }
}

function isOn(list: TopicSettings["readers"], agent: string): boolean {
  return list === undefined || list === "everyone" || list.includes(agent);
}

export async function readRoot(
  context: TopicContext,
  namespace: string,
  root: string,
  what: "settings" | "everything",
): Promise<RootListing> {
  const [, version, topics, settings, bindings] = await context.run(
    namespace,
    root,
    lookScript,
    [],
    [what === "everything" ? "1" : "0"],
  );
  return new RootListing(
    String(version),
    topics as readonly string[],
    settings as readonly string[],
    bindings as readonly string[],
  );
}

export interface TopicSummary {
  readonly name: string;
  /** Messages ever published here, not what retention left of them. */
  readonly messages: number;
  readonly bytes: number;
  readonly createdAt: number;
  readonly lastAt: number;
  readonly subscribers: number;
  readonly settings: TopicSettings;
}

/** The topics the caller may read, by name. @throws {MailboxError} `access.denied` */
export async function listTopics(context: TopicContext, caller: Caller): Promise<readonly TopicSummary[]> {
  await context.admit(caller, "topic.read", "*");
  const may = await context.rightsOf(caller);
  const { agent } = caller.principal;
  return summaries(
    context,
    caller,
    (listing, name) => may("topic.read", `topic:${name}`) && (isUnbound(may) || listing.mayRead(name, agent)),
  );
}

/** Names of the topics the caller may publish to or read. Whether it may look at all was decided by whoever asks. */
export async function findTopics(context: TopicContext, caller: Caller): Promise<readonly string[]> {
  const may = await context.rightsOf(caller);
  const { agent } = caller.principal;
  const unbound = isUnbound(may);
  const found = await summaries(
    context,
    caller,
    (listing, name) =>
      (may("topic.read", `topic:${name}`) && (unbound || listing.mayRead(name, agent))) ||
      (may("topic.publish", `topic:${name}`) && (unbound || listing.mayPublish(name, agent))),
  );
  return found.map(({ name }) => name);
}

async function summaries(
  context: TopicContext,
  caller: Caller,
  isShown: (listing: RootListing, name: string) => boolean,
): Promise<readonly TopicSummary[]> {
  const { namespace } = caller.principal;
  const roots = [...(await context.roots(namespace)).keys()];
  const listings = await Promise.all(roots.map((root) => readRoot(context, namespace, root, "everything")));
  return listings
    .flatMap((listing) =>
      [...listing.topics].flatMap(([name, record]) =>
        isShown(listing, name)
          ? [
              {
                name,
                messages: record.published,
                bytes: record.bytes,
                createdAt: record.createdAt,
                lastAt: record.lastAt,
                subscribers: listing.subscribersOf(name).size,
                settings: listing.effective(name),
              },
            ]
          : [],
      ),
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function parseRecord(text: string): TopicRecord {
  const [createdAt, lastAt, bytes, published, , explicit] = text.split("|").map(Number);
  return {
    createdAt: createdAt!,
    lastAt: lastAt!,
    bytes: bytes!,
    published: published!,
    explicit: explicit === 1,
  };
}

function pairs<T>(flat: readonly string[], read: (text: string) => T): ReadonlyMap<string, T> {
  const map = new Map<string, T>();
  for (let n = 0; n < flat.length; n += 2) map.set(flat[n]!, read(flat[n + 1]!));
  return map;
}
