import { refuse } from "../errors/index.js";
import { asciiLower } from "./ascii-lower.js";

const level = /^[a-z0-9][a-z0-9_-]{0,62}$/;
export const maxLevels = 10;
export const maxTopicLength = 256;

/**
 * Parses a topic name, with or without its `topic:` or `#` prefix, into its canonical lower-case form.
 *
 * @throws {MailboxError} `address.invalid` or `topic.too_many_levels`
 */
export function parseTopic(given: string): string {
  const text = asciiLower(given.trim().replace(/^(topic:|#)/i, ""));
  if (text.length > maxTopicLength)
    refuse("address.invalid", {
      given: "this topic",
      problem: `a topic has at most ${maxTopicLength} characters`,
    });
  const levels = text.split(".");
  if (levels.length > maxLevels) refuse("topic.too_many_levels", { topic: "this topic", limit: maxLevels });
  if (!levels.every((part) => level.test(part)))
    refuse("address.invalid", {
      given: "this topic",
      problem:
        "each level of a topic has 1 to 63 of the characters a-z 0-9 _ - and begins with a letter or digit",
    });
  return text;
}

/** `builds.ci.linux` → `builds`: the part of the name that decides where its log is kept. */
export function rootOf(topic: string): string {
  const dot = topic.indexOf(".");
  return dot < 0 ? topic : topic.slice(0, dot);
}

/** `a.b.c` → [`a.b`, `a`]: nearest first, the order in which settings are inherited. */
export function parentsOf(topic: string): string[] {
  const parents: string[] = [];
  for (let end = topic.lastIndexOf("."); end > 0; end = topic.lastIndexOf(".", end - 1))
    parents.push(topic.slice(0, end));
  return parents;
}
