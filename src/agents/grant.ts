import { isAgentName, parseAddress, parsePattern, parseStateKey } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import { type Action, actions, roles } from "../identity/index.js";

/** A rule of a namespace: who may, or may not, do what with which resources, and until when. */
export interface Grant {
  readonly id: string;
  /** An agent, `role:NAME`, or `*` for everybody. */
  readonly who: string;
  /** An action, all of a room as `mailbox.*`, or `*`. */
  readonly action: string;
  /** `alice`, `agent:*`, `queue:reviews`, `queue:*`, `topic:` and a pattern, `state:` and a key, `state:*`, `everyone`, or `*`. */
  readonly resource: string;
  readonly effect: "allow" | "deny";
  /** By the store's clock, ms; without it the rule holds until it is taken back. */
  readonly expiresAt?: number;
  readonly createdAt: number;
  readonly by: string;
}

/** Most grants of one namespace. */
export const grantsMost = 10_000;

const short: Readonly<Record<string, Action>> = {
  publish: "topic.publish",
  follow: "topic.read",
  send: "mailbox.send",
};

/**
 * What a person types for a grant, checked and in the one form in which it is kept. The short words `publish`, `send`,
 * `read` and `follow` are understood; a bare name is a topic where the action is one of topics.
 *
 * @throws {MailboxError} `input.invalid`, `address.invalid`, `address.pattern_invalid`
 */
export function parseGrant(given: {
  readonly who: string;
  readonly action: string;
  readonly resource: string;
}): Pick<Grant, "who" | "action" | "resource"> {
  const who = parseWho(given.who);
  const action = parseAction(given.action, given.resource);
  const resource = parseResource(given.resource, action);
  if (!fits(action, resource))
    refuse("input.invalid", { problem: `${action} is never done with ${resource}: ${resourcesOf(action)}` });
  return { who, action, resource };
}

/** @throws {MailboxError} `input.invalid` */
export function parseWho(given: string): string {
  const who = given.trim().toLowerCase().replace(/^@/, "");
  const role = who.startsWith("role:") ? who.slice("role:".length) : undefined;
  if (who === "*" || (role === undefined ? isAgentName(who) : (roles as readonly string[]).includes(role)))
    return who;
  return refuse("input.invalid", {
    problem: `who is an agent's name, role: with ${roles.join(", ")}, or * for everybody`,
  });
}

function parseAction(given: string, resource: string): string {
  const action = given.trim().toLowerCase();
  const rooms = new Set(actions.map((one) => `${one.slice(0, one.indexOf("."))}.*`));
  if (action === "read") return isOfTopics(resource) ? "topic.read" : readOf(resource);
  if (Object.hasOwn(short, action)) return short[action]!;
  if (action === "*" || rooms.has(action) || (actions as readonly string[]).includes(action)) return action;
  return refuse("input.invalid", {
    problem: `the action is one of ${actions.join(", ")}, in short publish, follow, send or read, all of a room such as mailbox.*, or *`,
  });
}

function readOf(resource: string): Action {
  if (resource.trim() === "*")
    refuse("input.invalid", { problem: "read * can mean two: say mailbox.read or topic.read" });
  return "mailbox.read";
}

function isOfTopics(resource: string): boolean {
  return /^\s*(topic:|#)/i.test(resource);
}

function parseResource(given: string, action: string): string {
  const text = given.trim().toLowerCase();
  if (text === "*" || text === "agent:*" || text === "queue:*" || text === "state:*") return text;
  if (text.startsWith("state:")) return `state:${parseStateKey(text.slice("state:".length))}`;
  const bare = !text.includes(":") && text !== "everyone";
  if (isOfTopics(text) || (action.startsWith("topic.") && bare)) return `topic:${parsePattern(text)}`;
  const address = parseAddress(text);
  if (address.kind === "everyone") return "everyone";
  return address.kind === "agent" ? address.name : `${address.kind}:${address.name}`;
}

/** A grant of an action with a resource it never has would look as if it did something. */
function fits(action: string, resource: string): boolean {
  if (resource === "*") return true;
  const isTopic = resource.startsWith("topic:");
  const isState = resource.startsWith("state:");
  if (action.startsWith("state.")) return isState;
  if (isState) return action === "*";
  if (action.startsWith("topic.")) return isTopic;
  if (action === "mailbox.read" || action === "admin.dead-letters")
    return !isTopic && resource !== "everyone";
  if (action.startsWith("mailbox.")) return !isTopic;
  return !action.startsWith("lock.") && action !== "admin.grants" && action !== "admin.audit";
}

function resourcesOf(action: string): string {
  if (action.startsWith("topic.")) return "name a topic or a pattern of topics";
  if (action.startsWith("mailbox.") || action === "admin.dead-letters")
    return "name an agent, queue:NAME, agent:* or queue:*; for topics the actions are topic.publish and topic.read";
  if (action.startsWith("state.")) return "name state:KEY, which holds for the keys below it too, or state:*";
  return "its resource is *";
}
