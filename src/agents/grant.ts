import {
  isAgentName,
  matchesTopic,
  parseAddress,
  parsePattern,
  parseStateKey,
  type TopicPattern,
} from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import { type Action, actions, type Role, roles } from "../identity/index.js";

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

/** What a person types for a grant, checked and in the one form in which it is kept. */
export function parseGrant(given: {
  readonly who: string;
  readonly action: string;
  readonly resource: string;
}): Pick<Grant, "who" | "action" | "resource"> {
  return {
    who: parseWho(given.who),
    action: parseAction(given.action),
    resource: parseResource(given.resource),
  };
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

function parseAction(given: string): string {
  const action = given.trim().toLowerCase();
  const rooms = new Set(actions.map((one) => `${one.slice(0, one.indexOf("."))}.*`));
  if (action === "*" || rooms.has(action) || (actions as readonly string[]).includes(action)) return action;
  return refuse("input.invalid", {
    problem: `the action is one of ${actions.join(", ")}, all of a room such as mailbox.*, or *`,
  });
}

function parseResource(given: string): string {
  const text = given.trim().toLowerCase();
  if (text === "*" || text === "agent:*" || text === "queue:*" || text === "state:*") return text;
  if (/^(topic:|#)/.test(text)) return `topic:${parsePattern(text)}`;
  if (text.startsWith("state:")) return `state:${parseStateKey(text.slice("state:".length))}`;
  const address = parseAddress(text);
  if (address.kind === "everyone") return "everyone";
  return address.kind === "agent" ? address.name : `${address.kind}:${address.name}`;
}

/** Whether the rule speaks of this caller, action and resource at this time. */
export function applies(
  grant: Grant,
  agent: string,
  held: readonly Role[],
  action: Action,
  resource: string,
  nowMs: number,
): boolean {
  if (grant.expiresAt !== undefined && grant.expiresAt <= nowMs) return false;
  if (grant.who !== "*" && grant.who !== agent && !held.some((role) => grant.who === `role:${role}`))
    return false;
  return coversAction(grant.action, action) && coversResource(grant.resource, resource);
}

function coversAction(pattern: string, action: Action): boolean {
  if (pattern === "*" || pattern === action) return true;
  return pattern.endsWith(".*") && action.startsWith(pattern.slice(0, -1));
}

/** What is said of a topic holds for the topics below it, and so with a key of shared state. */
function coversResource(pattern: string, resource: string): boolean {
  if (pattern === "*" || pattern === resource) return true;
  if (pattern === "queue:*") return resource.startsWith("queue:");
  if (pattern === "state:*") return resource.startsWith("state:");
  if (pattern.startsWith("state:")) return resource.startsWith(`${pattern}/`);
  if (pattern === "agent:*") return resource !== "*" && resource !== "everyone" && !resource.includes(":");
  if (!pattern.startsWith("topic:") || !resource.startsWith("topic:")) return false;
  const below = `${pattern.slice("topic:".length)}.**` as TopicPattern;
  return matchesTopic(below, resource.slice("topic:".length));
}
