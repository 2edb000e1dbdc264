import { patternRoot, type TopicPattern } from "../addresses/index.js";
import type { PendingRow } from "../identity/index.js";
import { directoryKeys, loadScript, topicRootKeys } from "../redis/index.js";
import { parseRoots, type TopicContext } from "./context.js";

const lookScript = loadScript(import.meta.url, "look-follows.lua");
const noteScript = loadScript(import.meta.url, "note-follow.lua");
const subscribeScript = loadScript(import.meta.url, "subscribe-topic.lua");

/** A followed pattern as the directory has it. */
export interface FollowedPattern {
  readonly start: string;
  /** The directory's clock when it was noted, as a sequence. */
  readonly now: number;
  /** How many roots existed then, and up to which root's number it is bound. */
  readonly rootsThen: number;
  readonly rootsSeen: number;
  readonly sender: string;
  readonly minPriority: string;
  /** When waiting reads are woken; undefined for at once. */
  readonly batch: Batch | undefined;
}

/** A waiting read is woken when so many came, or so long after the first of them. */
export interface Batch {
  readonly size: number;
  readonly ms: number;
}

/** What one agent follows, and in which roots it has deliveries. */
export interface Follows {
  readonly patterns: ReadonlyMap<string, FollowedPattern>;
  /** root → the note it was made with */
  readonly roots: ReadonlyMap<string, string>;
}

export async function lookFollows(
  context: TopicContext,
  namespace: string,
  agent: string,
): Promise<Follows & { readonly known: ReadonlyMap<string, number> }> {
  const keys = directoryKeys(namespace);
  const [, flat, roots] = await context.store.run(lookScript, [keys.follows(agent), keys.roots], ["0"]);
  return { ...parseFollows(flat as readonly string[]), known: parseRoots(roots) };
}

/**
 * What the agent follows, with its patterns that may mean any root bound in every root there is. A root that came up
 * after the agent subscribed is read from its beginning.
 */
export async function followsOf(context: TopicContext, namespace: string, agent: string): Promise<Follows> {
  const looked = await lookFollows(context, namespace, agent);
  if (looked.known.size === 0) return looked;
  for (const [pattern, followed] of looked.patterns)
    if (patternRoot(pattern as TopicPattern) === undefined)
      await bindEverywhere(context, namespace, agent, pattern, followed, looked.known, false);
  return lookFollows(context, namespace, agent);
}

/** Binds a pattern in all roots that it has not been bound in, the youngest root last. */
export async function bindEverywhere(
  context: TopicContext,
  namespace: string,
  agent: string,
  pattern: string,
  followed: FollowedPattern,
  roots: ReadonlyMap<string, number>,
  atOnce: boolean,
): Promise<void> {
  const missing = [...roots].filter(([, number]) => number > followed.rootsSeen).sort((a, b) => a[1] - b[1]);
  for (const [root, number] of missing) {
    await noteRoot(context, namespace, agent, root);
    const existed = number <= followed.rootsThen;
    const late = existed ? `@${followed.now}` : "0";
    const start = followed.start !== "now" ? followed.start : atOnce && existed ? "now" : late;
    await bind(
      context,
      namespace,
      agent,
      root,
      pattern,
      start,
      followed.sender,
      followed.minPriority,
      "",
      "",
    );
  }
  const last = missing.at(-1);
  if (last)
    await note(context, namespace, agent, {
      action: "materialised",
      name: pattern,
      argument: String(last[1]),
    });
}

/** Binds a pattern in one root; the directory must have been told before. */
export async function bind(
  context: TopicContext,
  namespace: string,
  agent: string,
  root: string,
  pattern: string,
  start: string,
  sender: string,
  minPriority: string,
  version: string,
  asked: string,
): Promise<{ readonly word: string; readonly start: string }> {
  const keys = topicRootKeys(namespace, root);
  const [word, from] = await context.run(
    namespace,
    root,
    subscribeScript,
    [keys.deliveries(agent), keys.open(agent), keys.taken(agent)],
    [agent, pattern, start, sender, minPriority, version, asked],
  );
  return { word, start: String(from ?? "") };
}

export async function noteRoot(
  context: TopicContext,
  namespace: string,
  agent: string,
  root: string,
  row?: PendingRow,
): Promise<void> {
  await note(context, namespace, agent, { action: "root", name: root }, row);
}

export async function notePattern(
  context: TopicContext,
  namespace: string,
  agent: string,
  pattern: string,
  start: string,
  sender: string,
  minPriority: string,
  batch: Batch | undefined,
  row: PendingRow,
): Promise<{
  readonly known: boolean;
  readonly followed: FollowedPattern;
  readonly roots: ReadonlyMap<string, number>;
}> {
  const [word, value, ...roots] = await note(
    context,
    namespace,
    agent,
    {
      action: "pattern",
      name: pattern,
      argument: start,
      sender,
      minPriority,
      waking: batch ? `${batch.size}/${batch.ms}` : "",
    },
    row,
  );
  return { known: word === "KNOWN", followed: parsePatternNote(String(value)), roots: parseRoots(roots) };
}

export async function strikePattern(
  context: TopicContext,
  namespace: string,
  agent: string,
  pattern: string,
  row?: PendingRow,
): Promise<void> {
  await note(context, namespace, agent, { action: "stop", name: pattern }, row);
}

/** Forgets that the agent has deliveries in a root, unless that was noted anew since it was looked at. */
export async function leaveRoot(
  context: TopicContext,
  namespace: string,
  agent: string,
  root: string,
  noted: string,
): Promise<void> {
  await note(context, namespace, agent, { action: "leave", name: root, argument: noted });
}

interface Note {
  readonly action: "pattern" | "root" | "materialised" | "stop" | "leave";
  readonly name: string;
  readonly argument?: string;
  readonly sender?: string;
  readonly minPriority?: string;
  readonly waking?: string;
}

async function note(
  context: TopicContext,
  namespace: string,
  agent: string,
  { action, name, argument = "", sender = "", minPriority = "0", waking = "" }: Note,
  row?: PendingRow,
): Promise<readonly unknown[]> {
  const keys = directoryKeys(namespace);
  const noted = await context.store.run(
    noteScript,
    [keys.follows(agent), keys.roots, keys.channel, keys.audit],
    [action, name, argument, sender, minPriority, waking, row?.text ?? ""],
  );
  row?.written();
  return noted;
}

function parseFollows(flat: readonly string[]): Follows {
  const patterns = new Map<string, FollowedPattern>();
  const roots = new Map<string, string>();
  for (let n = 0; n < flat.length; n += 2) {
    const field = flat[n]!;
    const value = flat[n + 1]!;
    if (field.startsWith("pattern:")) patterns.set(field.slice(8), parsePatternNote(value));
    else if (field.startsWith("root:")) roots.set(field.slice(5), value);
  }
  return { patterns, roots };
}

function parsePatternNote(text: string): FollowedPattern {
  const [start, now, rootsThen, rootsSeen, sender, minPriority, waking] = text.split("|");
  const [size, ms] = (waking ?? "").split("/").map(Number);
  return {
    start: start!,
    now: Number(now),
    rootsThen: Number(rootsThen),
    rootsSeen: Number(rootsSeen),
    sender: sender!,
    minPriority: minPriority!,
    batch: size && ms ? { size, ms } : undefined,
  };
}
