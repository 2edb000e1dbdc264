import {
  type Asking,
  type Explanation,
  explainAccess,
  type Grant,
  GrantBook,
  isAnyLock,
  parseGrant,
  rolesOf,
} from "../agents/index.js";
import type { House } from "../compose.js";
import type { Config } from "../config/index.js";
import { type Action, actions, operatorPrincipal, type Role } from "../identity/index.js";
import { durationMs } from "./duration.js";
import { ago, lasting, printJson, printLine, printTable } from "./print.js";
import { UsageError } from "./usage-error.js";
import { asOperator, lookInto, operator, recordLook, type Switches, withHouse } from "./with-house.js";

/** Lists the grants that hold. */
export async function listGrants(switches: Switches): Promise<void> {
  const nothing = { rows: [] as readonly Grant[], now: Date.now() };
  const { rows, now } = await lookInto(switches, nothing, async (house, config) => ({
    rows: await house.grants.list(operator(config)),
    now: house.store.now(),
  }));
  if (switches.json) return printJson(rows.map(asJson));
  if (rows.length === 0) return printLine("No grants: everybody may do what their role may.");
  printTable(rows, [
    { head: "ID", cell: ({ id }) => id },
    { head: "WHO", cell: ({ who }) => who },
    { head: "", cell: ({ effect }) => effect },
    { head: "ACTION", cell: ({ action }) => action },
    { head: "RESOURCE", cell: ({ resource }) => resource },
    { head: "UNTIL", cell: ({ expiresAt }) => (expiresAt === undefined ? "" : until(expiresAt, now)) },
    { head: "MADE", cell: ({ by, createdAt }) => `${ago(createdAt, now)} by ${by}` },
  ]);
}

/** Allows or denies somebody something; what was said before of exactly the same is replaced. */
export async function addGrant(
  effect: "allow" | "deny",
  [who, action, resource]: readonly string[],
  switches: Switches & { readonly expires?: string },
): Promise<void> {
  const lastsMs = switches.expires === undefined ? undefined : durationMs(switches.expires);
  if (switches.expires !== undefined && lastsMs === undefined)
    throw new UsageError("--expires is a time such as 30m, 12h or 7d");
  const asked = { who: who!, action: action!, resource: resource!, effect };
  // Looked at before a store is opened or started: a slip of the keyboard should cost nothing.
  parseGrant(asked);
  const { grant, replaced } = await withHouse(switches, (house) =>
    asOperator(house, "admin.grants", "*", (caller) =>
      house.grants.add(caller, { ...asked, ...(lastsMs === undefined ? {} : { lastsMs }) }),
    ),
  );
  if (switches.json) return printJson({ ...asJson(grant), replaced: replaced.map(({ id }) => id) });
  const time = lastsMs === undefined ? "" : `, for ${lasting(lastsMs / 1000)}`;
  printLine(`${grant.id}: ${inWords(grant)}${time}. It holds everywhere within a second.`);
  for (const old of replaced) printLine(`It replaces ${old.id} (${old.effect}).`);
  if (grant.resource === "lock:*")
    printLine("lock:* means names of one segment, such as customer:123; lock:** means every lock.");
}

/** Takes a grant back, whether it allowed or denied. */
export async function removeGrant(id: string, switches: Switches): Promise<void> {
  const grant = await withHouse(switches, (house) =>
    asOperator(house, "admin.grants", "*", (caller) => house.grants.remove(caller, id)),
  );
  if (switches.json) printJson({ ...asJson(grant), removed: true });
  else printLine(`${grant.id} is gone: ${inWords(grant)}. That holds everywhere within a second.`);
}

/** Says whether somebody may do something, why, and what would change it. Nothing is done. */
export async function testGrant(
  [who, action, resource]: readonly string[],
  switches: Switches,
): Promise<void> {
  const asked = parseGrant({ who: who!, action: action!, resource: resource! });
  if (asked.who === "*")
    throw new UsageError("grants test asks about one agent, or about a role such as role:observer");
  if (!(actions as readonly string[]).includes(asked.action))
    throw new UsageError(`grants test asks about one action: ${actions.join(", ")}`);
  const what = { ...asked, action: asked.action as Action };
  const { explained, narrowed, roles, now } = await lookInto(
    switches,
    { ...explainNothing(what), now: Date.now() },
    async (house, config) => explain(house, config, what),
  );
  const allowed = explained.allowed && narrowed === undefined;
  const remedies = remediesOf(what, explained, narrowed);
  if (switches.json)
    return printJson({
      allowed,
      who: what.who,
      roles,
      action: what.action,
      resource: what.resource,
      because: narrowed ? `${narrowed.kind} of topic:${narrowed.setFor}` : explained.because,
      denies: explained.denies.map(asJson),
      allows: explained.allows.map(asJson),
      ...(narrowed ? { [narrowed.kind]: narrowed.agents, set_for: narrowed.setFor } : {}),
      to_change: remedies,
    });
  printLine(
    `${allowed ? "yes" : "no"}: ${what.who} may${allowed ? "" : " not"} ${what.action} ${what.resource}.`,
  );
  for (const line of reasons(explained, narrowed, roles, now)) printLine(`  ${line}`);
  if (isAnyLock(what.action, what.resource))
    printLine(
      "  asked about * it is enough that there is a lock with which it may: lock:** asks about all of them",
    );
  printLine(allowed ? "To forbid it:" : "To allow it:");
  for (const remedy of remedies) printLine(`  ${remedy}`);
}

interface Asked {
  readonly who: string;
  readonly action: Action;
  readonly resource: string;
}

/** The list of a topic that leaves somebody out whom the grants would let. */
interface Narrowing {
  readonly kind: "publishers" | "readers";
  readonly agents: readonly string[];
  readonly setFor: string;
}

interface Answer {
  readonly explained: Explanation;
  readonly narrowed: Narrowing | undefined;
  readonly roles: readonly Role[];
  readonly now: number;
}

async function explain(house: House, { namespace }: Config, what: Asked): Promise<Answer> {
  await recordLook(house, "admin.grants", "*");
  const rules = await house.access.rulesNow(namespace);
  const now = house.store.now();
  const asking = askingOf(what.who, (agent) =>
    rolesOf({ ...operatorPrincipal(namespace), agent, roles: ["agent"] }, rules),
  );
  return {
    explained: explainAccess(asking, what.action, what.resource, rules.book, now),
    narrowed: await narrowing(house, namespace, what, asking),
    roles: asking.roles,
    now,
  };
}

async function narrowing(
  house: House,
  namespace: string,
  { who, action, resource }: Asked,
  { roles }: Asking,
): Promise<Narrowing | undefined> {
  const topic = resource.startsWith("topic:") ? resource.slice("topic:".length) : undefined;
  if (topic === undefined || topic.includes("*") || roles.includes("admin")) return undefined;
  const kind = action === "topic.publish" ? "publishers" : "readers";
  const list = (await house.topics.accessLists(namespace, topic))[kind];
  if (!list || list.agents === "everyone" || list.agents.includes(who)) return undefined;
  return { kind, agents: list.agents, setFor: list.setFor };
}

/** Where nothing was ever stored nothing is granted. */
function explainNothing(what: Asked): Omit<Answer, "now"> {
  const asking = askingOf(what.who, () => ["agent"]);
  const explained = explainAccess(asking, what.action, what.resource, new GrantBook([]), Date.now());
  return { explained, narrowed: undefined, roles: asking.roles };
}

function askingOf(who: string, rolesOfAgent: (agent: string) => readonly Role[]): Asking {
  if (!who.startsWith("role:")) return { agent: who, roles: rolesOfAgent(who), isOperator: false };
  // Somebody who has the role and of whom nothing else is said.
  return { agent: "somebody~", roles: [who.slice("role:".length) as Role], isOperator: false };
}

function reasons(
  { denies, allows, byRole }: Explanation,
  narrowed: Narrowing | undefined,
  roles: readonly Role[],
  now: number,
): readonly string[] {
  const shown = denies.length > 0 ? denies : allows;
  return [
    ...shown.slice(0, 10).map((grant) => `grant ${grant.id}: ${inWords(grant)}${since(grant, now)}`),
    ...(shown.length > 10 ? [`and ${shown.length - 10} other grants`] : []),
    ...(denies.length > 0 && allows.length > 0
      ? [
          `denying wins over the allowing ${allows
            .map(({ id }) => id)
            .slice(0, 10)
            .join(", ")}`,
        ]
      : []),
    `by role alone (${roles.join(", ")}): ${byRole.allowed ? "yes" : "no"}`,
    ...(narrowed
      ? [`the ${narrowed.kind} of topic:${narrowed.setFor} are ${narrowed.agents.join(", ") || "nobody"}`]
      : []),
  ];
}

/** Commands after which the answer would be the other one. */
function remediesOf(
  { who, action, resource }: Asked,
  { allowed, denies, allows, byRole }: Explanation,
  narrowed: Narrowing | undefined,
): readonly string[] {
  const command = "llm-mailbox grants";
  if (allowed && !narrowed)
    return byRole.allowed || allows.length === 0
      ? [`${command} deny ${who} ${action} ${quoted(resource)}`]
      : allows.map(({ id }) => `${command} remove ${id}`);
  const removals = denies.map(({ id }) => `${command} remove ${id}`);
  const allowing = byRole.allowed || allows.length > 0;
  return [
    ...removals,
    ...(allowing ? [] : [`${command} allow ${who} ${action} ${quoted(resource)}`]),
    ...(narrowed
      ? [
          `llm-mailbox topics set ${narrowed.setFor} --${narrowed.kind} ${[...narrowed.agents, who].join(",")}`,
        ]
      : []),
  ];
}

/** As one word of a shell: what can be locked may have any character. */
function quoted(resource: string): string {
  return /^[\w@%+=:,./-]+$/.test(resource) ? resource : `'${resource.replaceAll("'", "'\\''")}'`;
}

function inWords({ who, action, resource, effect }: Grant): string {
  const subject = who === "*" ? "everybody" : who;
  return `${subject} may${effect === "deny" ? " not" : ""} ${action} ${resource}`;
}

function since({ createdAt, by, expiresAt }: Grant, now: number): string {
  return ` (${ago(createdAt, now)} by ${by}${expiresAt === undefined ? "" : `, ${until(expiresAt, now)}`})`;
}

function until(expiresAt: number, now: number): string {
  return `${lasting(Math.max(0, expiresAt - now) / 1000)} more`;
}

function asJson({ id, who, action, resource, effect, expiresAt, createdAt, by }: Grant): object {
  return {
    ...{ id, who, effect, action, resource },
    expires_at: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
    created_at: new Date(createdAt).toISOString(),
    by,
  };
}
