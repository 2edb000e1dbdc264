import {
  isAgentName,
  parseAddress,
  parsePattern,
  parseResource,
  parseStateKey,
  visible,
} from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import { type Action, actions, roles } from "../identity/index.js";
import { kindOf, kindsOf, type ResourceKind } from "./resource-kinds.js";

/** A rule of a namespace: who may, or may not, do what with which resources, and until when. */
export interface Grant {
  readonly id: string;
  /** An agent, `role:NAME`, or `*` for everybody. */
  readonly who: string;
  /** An action, all of a room as `mailbox.*`, or `*`. */
  readonly action: string;
  /** `alice`, `agent:*`, `queue:reviews`, `queue:*`, `topic:` and a pattern, `state:` and a key, `state:*`, `lock:` and a pattern, `everyone`, or `*`. */
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
 * @throws {MailboxError} `input.invalid`, `address.invalid`, `address.pattern_invalid`, `state.key_invalid`, `lock.resource_invalid`
 */
export function parseGrant(given: {
  readonly who: string;
  readonly action: string;
  readonly resource: string;
}): Pick<Grant, "who" | "action" | "resource"> {
  const who = parseWho(given.who);
  const action = parseAction(given.action, given.resource);
  const asked = given.resource.trim();
  // Of what has no resource in grants, whatever is named is no address either.
  if (asked !== "*" && hasAlone(action, "none"))
    refuse("input.invalid", {
      problem: `${action} is never granted with ${shown(asked)}: ${resourcesOf(action)}`,
    });
  // What can be locked looks like anything: it is taken for that only where it says so.
  if (asked !== "*" && hasAlone(action, "lock") && !isOfLocks(asked))
    refuse("input.invalid", {
      problem: `${action} is never done with ${shown(asked)}: ${resourcesOf(action)}`,
    });
  const resource = parseNamed(given.resource, action);
  if (!fits(action, resource))
    refuse("input.invalid", {
      problem: `${action} is never done with ${shown(resource)}: ${resourcesOf(action)}`,
    });
  return { who, action, resource };
}

function shown(given: string): string {
  return visible(given.length > 60 ? `${given.slice(0, 60)}…` : given);
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

function isOfLocks(resource: string): boolean {
  return /^lock:/i.test(resource);
}

function hasAlone(action: string, kind: ResourceKind): boolean {
  return [...kindsOf(action)].every((one) => one === kind);
}

function parseNamed(given: string, action: string): string {
  // Upper and lower case are two in the names of locks alone.
  if (isOfLocks(given.trim())) return `lock:${parseResource(given.trim().slice("lock:".length))}`;
  const text = given.trim().toLowerCase();
  if (text === "*" || text === "agent:*" || text === "queue:*" || text === "state:*") return text;
  if (text.startsWith("state:")) return `state:${parseStateKey(text.slice("state:".length))}`;
  const bare = !text.includes(":") && text !== "everyone";
  if (isOfTopics(text) || (bare && hasAlone(action, "topic"))) return `topic:${parsePattern(text)}`;
  const address = parseAddress(text);
  if (address.kind === "everyone") return "everyone";
  return address.kind === "agent" ? address.name : `${address.kind}:${address.name}`;
}

/** A grant of an action with a resource it never has would look as if it did something. */
function fits(action: string, resource: string): boolean {
  const kind = kindOf(resource);
  return kind === undefined || kindsOf(action).has(kind);
}

const named: Readonly<Record<ResourceKind, string>> = {
  agent: "an agent or agent:*",
  queue: "queue:NAME or queue:*",
  everyone: "everyone",
  topic: "a topic or a pattern of topics",
  state: "state:KEY, which holds for the keys below it too, or state:*",
  lock: "lock: with what can be locked, a name, a path or a pattern, as lock:src/auth/** (lock:** is every lock)",
  none: "*",
};

/** What to name instead, and who else can say what was meant. */
function resourcesOf(action: string): string {
  const kinds = [...kindsOf(action)];
  const told = kinds.filter((kind) => kind !== "none").map((kind) => named[kind]);
  if (told.length > 0) {
    const elsewhere = kinds.includes("topic") ? "" : action.startsWith("mailbox.") ? forTopics : "";
    return `name ${told.join(", ")}, or * for all${elsewhere}`;
  }
  return `its resource is *${byPolicy[action] ?? ""}`;
}

const forTopics =
  "; for topics the actions are topic.publish and topic.read, for locks lock.acquire and lock.read, for keys state.read and state.write";
const byPolicy: Readonly<Record<string, string>> = {
  "admin.locks": ", for all locks",
  "policy.check":
    ", for whatever is asked about. What may be done with a resource is said by a rule of policy",
};
