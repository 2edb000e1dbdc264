import { refuse } from "../errors/index.js";
import { asciiLower } from "./ascii-lower.js";
import { maxLevels, maxTopicLength } from "./topic-name.js";

/** A topic name in which a level may be `*` (one level) or `**` (any number of levels, also none). */
export type TopicPattern = string & { readonly __pattern: unique symbol };

const level = /^([a-z0-9][a-z0-9_-]{0,62}|\*|\*\*)$/;

/** @throws {MailboxError} `address.pattern_invalid` */
export function parsePattern(given: string): TopicPattern {
  const text = asciiLower(given.trim().replace(/^(topic:|#)/i, ""));
  if (text.length > maxTopicLength)
    refuse("address.pattern_invalid", {
      given: "this",
      problem: `it has more than ${maxTopicLength} characters`,
    });
  const levels = text.split(".");
  if (levels.length > maxLevels)
    refuse("address.pattern_invalid", { given: "this", problem: `it has more than ${maxLevels} levels` });
  if (!levels.every((part) => level.test(part)))
    refuse("address.pattern_invalid", { given: "this", problem: "a level is neither a name, * nor **" });
  return levels.filter((part, i) => !(part === "**" && levels[i - 1] === "**")).join(".") as TopicPattern;
}

/** The root all matching topics share, or undefined when the first level is a wildcard. */
export function patternRoot(pattern: TopicPattern): string | undefined {
  const first = pattern.split(".", 1)[0]!;
  return first.startsWith("*") ? undefined : first;
}

/** Whether the topic is one the pattern means. Time is bounded by the product of their levels, whatever the pattern. */
export function matchesTopic(pattern: TopicPattern, topic: string): boolean {
  const levels = topic.split(".");
  // reach[i]: the part of the pattern read so far matches the first i levels of the topic.
  let reach = [true, ...levels.map(() => false)];
  for (const part of pattern.split(".")) {
    const next = reach.map(() => false);
    for (let i = 0; i <= levels.length; i++) {
      if (part === "**") next[i] = reach[i]! || (i > 0 && next[i - 1]!);
      else next[i] = i > 0 && reach[i - 1]! && (part === "*" || part === levels[i - 1]);
    }
    reach = next;
  }
  return reach[levels.length]!;
}
