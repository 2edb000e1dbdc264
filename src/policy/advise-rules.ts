import { asciiLower, nearest } from "../addresses/index.js";
import { actions as ownActions } from "../identity/index.js";
import { askedResource, isAnything } from "./asked-resource.js";
import { canonicalResource, isOfWeb } from "./canonical-resource.js";
import { ruleScope } from "./cel-environment.js";
import { clientActions, isOfAClient } from "./client-actions.js";
import { compileRules, namedActions, termsOf, wholeSet } from "./compile-rules.js";
import { chained, constantPart, fieldOf, literalOf, wanted } from "./constant-part.js";
import { EntryLines } from "./entry-lines.js";
import { partsOf, type TreeNode } from "./expression-tree.js";
import { actionCovers, actionsMeet, resourcePattern } from "./name-pattern.js";
import { Patterns } from "./patterns.js";
import { profiles } from "./profiles.js";
import { type LimitEntry, type RuleEntry, type RuleSet, readRuleSet } from "./rule-set.js";
import { atOnce } from "./steps.js";
import { mentionsResource } from "./watch-resource.js";
import { Work } from "./work.js";

/** Something that a rule set says in vain, though it is one. */
export interface Advice {
  readonly line: number;
  /** What it is about, as `rule no-delete`. */
  readonly about: string;
  /** What is wrong, and what to do. */
  readonly text: string;
}

/** What is recorded of the agents of a namespace. */
export interface AgentsOnRecord {
  readonly roles: ReadonlySet<string>;
  readonly teams: ReadonlySet<string>;
  /** Role → agents that have it. */
  readonly holders: ReadonlyMap<string, readonly string[]>;
}

type Entry = RuleEntry | LimitEntry;

/**
 * What in a rule set can never take effect, or asks what nobody can answer. Entries that are those of a profile are left
 * out, by whichever way they came in.
 *
 * @param onRecord without it nothing is said that depends on who is there
 * @throws {MailboxError} `policy.invalid`
 */
export function adviseRules(text: string, nowMs: number, onRecord?: AgentsOnRecord): readonly Advice[] {
  compileRules(text);
  const read = atOnce(readRuleSet(text));
  const set = atOnce(wholeSet(read));
  const lines = new EntryLines(read);
  const about = new About(set, nowMs);
  const advice: Advice[] = [];
  const say = (entry: Entry, kind: "rule" | "limit", text: string | undefined): void => {
    if (text !== undefined) advice.push({ line: lines.ofEntry(entry), about: `${kind} ${entry.id}`, text });
  };
  for (const rule of read.set.rules.filter((one) => !isOfProfile("rules", one))) {
    for (const one of [
      about.condition(rule),
      about.pages(rule),
      about.hiding(rule),
      ...about.names(rule),
      about.escalation(rule),
    ])
      say(rule, "rule", one);
    if (onRecord)
      for (const one of [...about.agents(rule, onRecord), ...about.approvers(rule, onRecord)])
        say(rule, "rule", one);
  }
  for (const limit of read.set.limits.filter((one) => !isOfProfile("limits", one))) {
    for (const one of [
      about.condition(limit),
      about.pages(limit),
      ...about.reach(limit),
      ...about.names(limit),
    ])
      say(limit, "limit", one);
    if (onRecord) for (const one of about.agents(limit, onRecord)) say(limit, "limit", one);
  }
  const asked = about.countersAsked();
  for (const name of Object.keys(read.set.counters))
    if (!asked.has(name))
      advice.push({
        line: lines.of(["counters", name]),
        about: `counter ${name}`,
        text: `no rule asks for it, so that nothing is counted; ask for counts.${name} in a condition, or take it out`,
      });
  return advice.sort((one, other) => one.line - other.line);
}

const builtIn = new Set<string>();

/** Whether an entry says what one of a profile does. */
function isOfProfile(kind: "rules" | "limits", entry: Entry): boolean {
  if (builtIn.size === 0)
    for (const text of Object.values(profiles)) {
      const { set } = atOnce(readRuleSet(text));
      for (const one of set.rules) builtIn.add(`rules ${one.id} ${JSON.stringify(one)}`);
      for (const one of set.limits) builtIn.add(`limits ${one.id} ${JSON.stringify(one)}`);
    }
  return builtIn.has(`${kind} ${entry.id} ${JSON.stringify(entry)}`);
}

/** First levels of actions of our own tools, and the kind of the resources that those of a room are about. */
const ownRooms = new Set(ownActions.map((action) => action.split(".", 1)[0]!));
const kindOf: Readonly<Record<string, string>> = { lock: "lock", state: "state", topic: "topic" };
const kinds = ["lock", "state", "topic", "queue", "check", "reservation"];

class About {
  readonly #set: RuleSet;
  readonly #nowMs: number;
  readonly #known: readonly string[];
  readonly #work = new Work();
  readonly #scope: ReturnType<typeof ruleScope>;

  constructor(set: RuleSet, nowMs: number) {
    this.#set = set;
    this.#nowMs = nowMs;
    this.#known = [...new Set([...namedActions(set), ...ownActions, ...clientActions])];
    this.#scope = ruleScope(Object.keys(set.counters), new Patterns(this.#work));
  }

  condition(entry: Entry): string | undefined {
    const tree = this.#tree(entry);
    const said = tree && constantPart(tree, this.#nowMs);
    if (said?.is !== false) return undefined;
    return said.byNow
      ? "its time is over: the condition cannot be true any more; take it out, or name a time that is still to come"
      : "its condition is never true; correct it, or take it out";
  }

  /** A prohibition without a condition for all that the rule speaks of. */
  hiding(rule: RuleEntry): string | undefined {
    if (rule.effect === "deny" || rule.shadow) return undefined;
    const found = rule.actions.map((action) =>
      this.#set.rules.find((other) => other !== rule && this.#hides(other, action, rule.resources)),
    );
    if (found.includes(undefined)) return undefined;
    const by = [...new Set(found.map((one) => one!.id))].join(", ");
    return `it never takes effect: ${by} denies all that it speaks of, and deny wins whatever the priority; except it there, or take it out`;
  }

  /** A page is named by host and path, which only comparisons take into account. */
  pages(entry: Entry): string | undefined {
    const tree = this.#tree(entry);
    if (!tree || !entry.actions.every(isOfWeb)) return undefined;
    return looksForScheme(tree)
      ? "pages are named by host and path, as example.org/a, so that an expression that wants a scheme never matches; write it without one, or use startsWith"
      : undefined;
  }

  /** Actions and resources that nothing is called by. */
  names({ actions, ...entry }: Entry): readonly string[] {
    const found: string[] = [];
    for (const action of actions) {
      const isName = !action.includes("*");
      const level = action.split(".", 1)[0]!;
      if (isName && ownRooms.has(level) && !(ownActions as readonly string[]).includes(action)) {
        const meant = nearest(
          action,
          ownActions.filter((one) => one.startsWith(`${level}.`)),
        );
        found.push(
          `none of our tools is called ${action}${meant ? `; the nearest is ${meant}` : ""}; correct it, unless agents ask check_policy about it by that name`,
        );
      }
      if (isName || isOfAClient(action) || this.#known.some((one) => actionCovers(action, one))) continue;
      found.push(
        `no action that is known is one of ${action}: none of our tools has one, and the set names none; correct it, or name the actions in the vocabulary`,
      );
    }
    const rooms = new Set(actions.map((action) => action.split(".", 1)[0]!));
    const kind = rooms.size === 1 ? kindOf[[...rooms][0]!] : undefined;
    for (const resource of ("resources" in entry && entry.resources) || []) {
      const [, written] = /^([a-z][a-z0-9_-]+):(?!\/\/)/i.exec(resource) ?? [];
      const given = written && asciiLower(written);
      // Names of others have colons too: of those a slip in one of ours is told.
      const meant = given === undefined || kinds.includes(given) ? undefined : nearest(given, kinds);
      const isOfOthers = rooms.size > 0 && [...rooms].every((room) => room === "web");
      if (meant !== undefined && !isOfOthers)
        found.push(
          `no resource of ours is of the kind ${given}:; the nearest is ${meant}: (there are ${kinds.slice(0, 4).join(", ")}); correct it, unless agents ask check_policy about it by that name`,
        );
      else if (kind !== undefined && given !== kind && !resource.split("/", 1)[0]!.includes("*"))
        found.push(`${resource} is never asked about with these actions; write ${kind}:${resource}`);
    }
    return found;
  }

  escalation({ approval }: RuleEntry): string | undefined {
    if (!approval?.escalate) return undefined;
    const { expiresMs } = termsOf(approval);
    return approval.escalate.after >= expiresMs
      ? "it is over before it is escalated, so that nobody more is told; escalate sooner, or let it expire later"
      : undefined;
  }

  reach(limit: LimitEntry): readonly string[] {
    const found: string[] = [];
    if (limit.most === 0 || (limit.of === "calls" && limit.most < 1))
      found.push("it lets nothing pass; a rule that denies says so with a reason of yours");
    if (limit.of === "cost" && limit.actions.every((one) => ownRooms.has(one.split(".", 1)[0]!)))
      found.push(
        "it is never reached: our own tools cost nothing; limit calls, or name the actions that agents ask check_policy about",
      );
    const within = this.#set.limits.find((other) => isWithin(limit, other));
    if (within)
      found.push(
        `it is never reached: ${within.id} lets no more than ${within.most} pass in a window that holds its own; lower it, or take it out`,
      );
    const denied = limit.actions.map((action) =>
      this.#set.rules.find((rule) => this.#hides(rule, action, undefined)),
    );
    if (!denied.includes(undefined))
      found.push(`it is never reached: ${denied[0]!.id} denies all that it speaks of; take one of them out`);
    return found;
  }

  agents(entry: Entry, { roles, teams }: AgentsOnRecord): readonly string[] {
    const tree = this.#tree(entry);
    if (!tree) return [];
    const found = new Set<string>();
    for (const [field, text] of meant(tree)) {
      if (text === "") continue;
      if (field === "agent.role" && !roles.has(text))
        found.add(
          `no agent on record has the role ${text}; record it (llm-mailbox agents set NAME --role ${text}), or correct it`,
        );
      if (field === "agent.team" && !teams.has(text))
        found.add(
          `no agent on record is of the team ${text}; record it (llm-mailbox agents set NAME --team ${text}), or correct it`,
        );
    }
    return [...found];
  }

  approvers(rule: RuleEntry, { holders }: AgentsOnRecord): readonly string[] {
    if (rule.effect !== "require_approval" || rule.shadow) return [];
    const agentsIn = (names: readonly string[]): ReadonlySet<string> =>
      new Set(names.flatMap((one) => (one.startsWith("role:") ? (holders.get(one.slice(5)) ?? []) : [one])));
    const { quorum, approvers, escalate } = termsOf(rule.approval);
    const tree = this.#tree(rule);
    const askers = tree ? chained(tree, "&&").flatMap((part) => named(part)) : [];
    const eligible = [...agentsIn(approvers)].filter((one) => !askers.includes(one));
    const found: string[] = [];
    if (eligible.length < quorum) {
      const own = askers.length > 0 ? `, without ${askers.join(", ")} who asks` : "";
      found.push(
        `${quorum === 1 ? "somebody has" : `${quorum} have`} to agree, and on record ${eligible.length === 0 ? "nobody" : `only ${eligible.join(", ")}`} may${own} (${approvers.join(", ")}); give somebody the role (llm-mailbox grants), or lower the quorum; the operator can stand in for one`,
      );
    }
    if (escalate && agentsIn(escalate.to).size === 0)
      found.push(
        `it escalates to nobody: on record nobody is ${escalate.to.join(", ")}; name somebody, or give the role`,
      );
    return found;
  }

  countersAsked(): ReadonlySet<string> {
    const asked = new Set<string>();
    const look = (node: TreeNode): void => {
      const [variable, name] = fieldOf(node)?.split(".") ?? [];
      if (variable === "counts" && name !== undefined) asked.add(name);
      if (node.op === "[]") {
        const [base, key] = node.args as [TreeNode, TreeNode];
        if (fieldOf(base) === "counts") asked.add(String(literalOf(key)));
      }
      for (const part of [...partsOf(node), ...(node.meta.macro?.args ?? [])]) look(part);
    };
    for (const rule of this.#set.rules) {
      const tree = this.#tree(rule);
      if (tree) look(tree);
    }
    return asked;
  }

  #hides(rule: RuleEntry, action: string, resources: readonly string[] | undefined): boolean {
    if (rule.effect !== "deny" || rule.shadow) return false;
    const tree = this.#tree(rule);
    if (tree && constantPart(tree, this.#nowMs)?.is !== true) return false;
    if (!rule.actions.some((one) => actionCovers(one, action))) return false;
    if (rule.except?.some((one) => actionsMeet(one, action))) return false;
    if (!rule.resources || rule.resources.some(isAnything)) return true;
    if (!resources || resources.some(isAnything)) return false;
    const patterns = rule.resources.map((one) => resourcePattern(one, "allows"));
    return resources.every((one) => {
      const asked = askedResource(one, canonicalResource(one, isOfWeb(action)), action);
      this.#work.begin();
      return patterns.some((pattern) => pattern.covers(asked, this.#work));
    });
  }

  #tree({ when }: Entry): TreeNode | undefined {
    return when === undefined ? undefined : (this.#scope.environment.parse(when).ast as unknown as TreeNode);
  }
}

/** Whether no more than another limit lets pass can ever come to this one. */
function isWithin(limit: LimitEntry, other: LimitEntry): boolean {
  const { of, per, most, window } = other;
  if (other === limit || other.shadow || other.when !== undefined || other.except || other.effect !== "deny")
    return false;
  const isSmaller = most < limit.most || (most === limit.most && window > limit.window);
  return (
    of === limit.of &&
    // What was spent is charged past a limit on cost too; calls never are.
    of === "calls" &&
    per === limit.per &&
    isSmaller &&
    window % limit.window === 0 &&
    limit.actions.every((action) => other.actions.some((one) => actionCovers(one, action)))
  );
}

/** Fields and the texts that they are held against, as far as one of them has to be it. */
function meant(node: TreeNode): readonly (readonly [field: string, text: string])[] {
  const one = wanted(node);
  if (one) return [one];
  if (node.op === "in") {
    const [left, right] = node.args as [TreeNode, TreeNode];
    const field = fieldOf(left);
    if (field === undefined || right.op !== "list") return [];
    return (right.args as TreeNode[]).flatMap((item) => {
      const text = literalOf(item);
      return typeof text === "string" ? [[field, text] as const] : [];
    });
  }
  return node.op === "&&" || node.op === "||" ? (node.args as TreeNode[]).flatMap(meant) : [];
}

/** Whether an expression that the resource is matched with asks for the scheme of a URL. */
function looksForScheme(node: TreeNode): boolean {
  if (node.op === "rcall") {
    const [name, receiver, given] = node.args as [string, TreeNode, readonly TreeNode[]];
    const pattern = given[0] && literalOf(given[0]);
    if (name === "matches" && mentionsResource(receiver) && typeof pattern === "string")
      return /^(?:\(\?[a-z]+\))?\^?(?:https?|wss?|ftp)\b/i.test(pattern) && pattern.includes(":");
  }
  return [...partsOf(node), ...(node.meta.macro?.args ?? [])].some(looksForScheme);
}

function named(node: TreeNode): readonly string[] {
  const [field, text] = wanted(node) ?? [];
  return field === "agent.name" ? [text!] : [];
}
