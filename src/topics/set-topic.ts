import { parseTopic, rootOf } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript, topicRootKeys } from "../redis/index.js";
import type { TopicContext } from "./context.js";
import { settingField, settingNames, type TopicSettings, writeSetting } from "./settings.js";

const setScript = loadScript(import.meta.url, "set-topic.lua");

/** Settings to set; null takes one back, so that it is inherited again. */
export type SettingChanges = { readonly [Name in keyof TopicSettings]: TopicSettings[Name] | null };

/**
 * Creates a topic that stays although it is idle, or says that it exists; settings are applied either way.
 *
 * @throws {MailboxError} `access.denied` for anyone but an administrator, `input.invalid`
 */
export async function createTopic(
  context: TopicContext,
  caller: Caller,
  topic: string,
  changes: SettingChanges = {},
): Promise<{ readonly topic: string; readonly created: boolean }> {
  const { name, word } = await apply(context, caller, topic, changes, true);
  return { topic: name, created: word === "CREATED" };
}

/**
 * Sets what holds for a topic and, where they set nothing themselves, for the topics below it. It holds for the next
 * publish and the next delivery.
 *
 * @throws {MailboxError} `access.denied`, `topic.unknown`, `input.invalid`
 */
export async function setTopic(
  context: TopicContext,
  caller: Caller,
  topic: string,
  changes: SettingChanges,
): Promise<void> {
  const { name, word } = await apply(context, caller, topic, changes, false);
  if (word === "UNKNOWN") refuse("topic.unknown", { topic: name });
}

async function apply(
  context: TopicContext,
  caller: Caller,
  topic: string,
  changes: SettingChanges,
  create: boolean,
): Promise<{ readonly name: string; readonly word: string }> {
  const name = parseTopic(topic);
  const { row } = await context.admit(caller, "admin.topics", `topic:${name}`);
  const sets: string[] = [];
  const unsets: string[] = [];
  for (const setting of settingNames) {
    const value = changes[setting];
    if (value === null) unsets.push(settingField(name, setting));
    else if (value !== undefined) {
      if (typeof value === "number" && !(Number.isSafeInteger(value) && value >= 1))
        refuse("input.invalid", { problem: `${setting} must be a whole number of at least 1` });
      sets.push(settingField(name, setting), writeSetting(value));
    }
  }
  const root = rootOf(name);
  const { namespace } = caller.principal;
  if (create) await context.registerRoot(namespace, root);
  const [word] = await context.run(
    namespace,
    root,
    setScript,
    [topicRootKeys(namespace, root).audit],
    [name, create ? "1" : "0", sets.length / 2, row, ...sets, ...unsets],
  );
  return { name, word };
}
