import { isAgentName, parseTopic } from "../addresses/index.js";
import type { SettingChanges, TopicSettings } from "../topics/index.js";
import { durationMs } from "./duration.js";
import { messageAsJson, printPassing } from "./message-lines.js";
import { ago, lasting, plural, printJson, printLine, printTable } from "./print.js";
import { UsageError } from "./usage-error.js";
import { asOperator, lookInto, operator, recordLook, type Switches, withHouse } from "./with-house.js";

/** Lists the topics with what was published, who follows, and what is kept. */
export async function listTopics(switches: Switches): Promise<void> {
  const { rows, now } = await lookInto(switches, { rows: [], now: Date.now() }, async (house, config) => {
    await recordLook(house, "topic.read", "topic:**");
    return { rows: await house.topics.listTopics(operator(config)), now: house.store.now() };
  });
  if (switches.json)
    return printJson(
      rows.map((row) => ({
        name: row.name,
        published: row.messages,
        bytes: row.bytes,
        subscribers: row.subscribers,
        created_at: new Date(row.createdAt).toISOString(),
        last_at: row.lastAt > 0 ? new Date(row.lastAt).toISOString() : null,
        settings: row.settings,
      })),
    );
  if (rows.length === 0)
    return printLine(
      "No topics yet: llm-mailbox topics create NAME, or the first message to topic:NAME, opens one.",
    );
  printTable(rows, [
    { head: "TOPIC", cell: ({ name }) => name },
    { head: "PUBLISHED", cell: ({ messages }) => messages, right: true },
    { head: "BYTES KEPT", cell: ({ bytes }) => bytes, right: true },
    { head: "FOLLOWERS", cell: ({ subscribers }) => subscribers, right: true },
    { head: "LAST USED", cell: ({ lastAt }) => (lastAt > 0 ? ago(lastAt, now) : "never") },
    { head: "SETTINGS", cell: ({ settings }) => inWords(settings) },
  ]);
}

interface SettingSwitches {
  readonly retention?: string;
  readonly retentionCount?: string;
  readonly retentionBytes?: string;
  readonly maxSubscribers?: string;
  readonly publishers?: string;
  readonly readers?: string;
}

/** Creates a topic that stays although nobody uses it. */
export async function createTopic(name: string, switches: Switches & SettingSwitches): Promise<void> {
  const changes = changesOf(switches);
  const { topic, created } = await withHouse(switches, (house) =>
    asOperator(house, "admin.topics", `topic:${parseTopic(name)}`, (caller) =>
      house.topics.createTopic(caller, name, changes),
    ),
  );
  if (switches.json) return printJson({ topic, created });
  const applied = Object.keys(changes).length > 0 ? "its settings were applied" : "it stays when it is idle";
  printLine(created ? `topic:${topic} is open.` : `topic:${topic} is there already; ${applied}.`);
}

/** Changes what holds for a topic and for those below it that set nothing themselves. */
export async function setTopic(name: string, switches: Switches & SettingSwitches): Promise<void> {
  const changes = changesOf(switches);
  if (Object.keys(changes).length === 0)
    throw new UsageError("topics set needs something to set; llm-mailbox help topics set lists it");
  const topic = parseTopic(name);
  const settings = await withHouse(switches, async (house, config) => {
    await asOperator(house, "admin.topics", `topic:${topic}`, (caller) =>
      house.topics.setTopic(caller, topic, changes),
    );
    const listed = await house.topics.listTopics(operator(config));
    return listed.find((one) => one.name === topic)?.settings ?? {};
  });
  if (switches.json) return printJson({ topic, settings });
  printLine(`topic:${topic}: ${inWords(settings) || "nothing set; the defaults hold"}.`);
}

/** Deletes a topic with its history. Refuses while somebody follows it, unless forced. */
export async function deleteTopic(
  name: string,
  switches: Switches & { readonly force?: boolean },
): Promise<void> {
  const { topic, ended } = await withHouse(switches, (house) =>
    asOperator(house, "admin.topics", `topic:${parseTopic(name)}`, (caller) =>
      house.topics.deleteTopic(caller, name, { force: switches.force ?? false }),
    ),
  );
  if (switches.json) return printJson({ topic, deleted: true, subscriptions_ended: ended });
  printLine(
    `topic:${topic} is deleted${ended > 0 ? `, and ${plural(ended, "subscription")} to it ended` : ""}.`,
  );
}

/** Shows a page of what was published, newest last. */
export async function topicHistory(
  name: string,
  switches: Switches & { readonly limit: number; readonly before?: string },
): Promise<void> {
  const page = await withHouse(switches, (house) =>
    asOperator(house, "topic.read", `topic:${parseTopic(name)}`, (caller) =>
      house.topics.history(caller, name, {
        limit: switches.limit,
        ...(switches.before === undefined ? {} : { before: switches.before }),
      }),
    ),
  );
  if (switches.json)
    return printJson({
      messages: page.deliveries.map((delivery) => messageAsJson(delivery, true)),
      ...(page.before === undefined ? {} : { before: page.before }),
    });
  if (page.deliveries.length === 0) return printLine("Nothing in its history.");
  for (const delivery of page.deliveries) printPassing(delivery, true);
  if (page.before !== undefined) printLine(`\nOlder ones: --before ${page.before}`);
}

type Changes = { -readonly [Name in keyof SettingChanges]: SettingChanges[Name] };

function changesOf(given: SettingSwitches): SettingChanges {
  const changes: Changes = {};
  const set = <Name extends keyof Changes>(
    name: Name,
    option: string,
    text: string | undefined,
    read: (text: string) => Changes[Name] | undefined,
    expected: string,
  ): void => {
    if (text === undefined) return;
    const value = text === "inherit" ? null : read(text.trim());
    if (value === undefined) throw new UsageError(`${option} is ${expected}, or inherit to take it back`);
    changes[name] = value as Changes[Name];
  };
  const { retention, retentionCount, retentionBytes, maxSubscribers, publishers, readers } = given;
  set("retentionMs", "--retention", retention, durationMs, "a time such as 30m, 12h or 7d");
  set("retentionCount", "--retention-count", retentionCount, wholeNumber, "a whole number from 1");
  set("retentionBytes", "--retention-bytes", retentionBytes, wholeNumber, "a whole number from 1");
  set("subscribersMost", "--max-subscribers", maxSubscribers, wholeNumber, "a whole number from 1");
  set("publishers", "--publishers", publishers, agentNames, "agents separated by commas, or everyone");
  set("readers", "--readers", readers, agentNames, "agents separated by commas, or everyone");
  return changes;
}

function wholeNumber(text: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}

function agentNames(text: string): readonly string[] | "everyone" | undefined {
  if (text === "everyone") return text;
  const names = text.split(",").map((name) => name.trim().toLowerCase());
  return names.every(isAgentName) ? names : undefined;
}

function inWords(settings: TopicSettings): string {
  const { retentionMs, retentionCount, retentionBytes, publishers, readers, subscribersMost } = settings;
  const who = (agents: readonly string[] | "everyone"): string =>
    agents === "everyone" ? agents : agents.join(" ");
  return [
    ...(retentionMs === undefined ? [] : [`keeps ${lasting(retentionMs / 1000)}`]),
    ...(retentionCount === undefined ? [] : [`keeps ${plural(retentionCount, "message")}`]),
    ...(retentionBytes === undefined ? [] : [`keeps ${retentionBytes} bytes`]),
    ...(subscribersMost === undefined ? [] : [`at most ${plural(subscribersMost, "follower")}`]),
    ...(publishers === undefined ? [] : [`published by ${who(publishers)}`]),
    ...(readers === undefined ? [] : [`read by ${who(readers)}`]),
  ].join(", ");
}
