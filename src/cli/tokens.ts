import type { IssuedToken, ListedToken } from "../agents/index.js";
import type { House } from "../compose.js";
import type { Config } from "../config/index.js";
import { parseToken, type Role, roles } from "../identity/index.js";
import { agentNamed } from "./agent-named.js";
import { ago, lasting, plural, printJson, printLine, printTable } from "./print.js";
import { terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { asOperator, lookInto, operator, recordLook, type Switches, withHouse } from "./with-house.js";

interface Lasting extends Switches {
  /** Milliseconds. */
  readonly expires?: number;
  /** False after `--never`. */
  readonly never?: boolean;
  readonly note?: string;
}

const standardMs = 90 * 24 * 3_600_000;

/** Issues a token for an agent, alone on standard output so that it can go straight into a file. */
export async function issueToken(
  given: string,
  switches: Lasting & { readonly role?: readonly Role[] },
): Promise<void> {
  const agent = agentNamed(given);
  const { token, first } = await withHouse(switches, async (house, config) => {
    const before = await house.access.rules(config.namespace);
    const issued = await house.tokens.issue(operator(config), agent, lifetimeOf(switches), switches.role);
    return { token: issued, first: !before.tokensRequired };
  });
  printIssued(token, switches);
  if (first)
    terminal().stderr.write(
      "This is the first token here: from now on no agent of this namespace is believed without one. Issue one for each, and set it as LLM_MAILBOX_TOKEN.\n",
    );
}

/** Lists tokens by their ids; the tokens themselves are kept nowhere. */
export async function listTokens(given: string | undefined, switches: Switches): Promise<void> {
  const agent = given === undefined ? undefined : agentNamed(given);
  const nothing = { rows: [] as readonly ListedToken[], now: Date.now() };
  const { rows, now } = await lookInto(switches, nothing, async (house, config) => ({
    rows: await house.tokens.list(operator(config), agent),
    now: house.store.now(),
  }));
  if (switches.json) return printJson(rows.map(dated));
  if (rows.length === 0)
    return printLine(agent ? `${agent} has no token.` : "No tokens yet: llm-mailbox agents issue NAME.");
  printTable(rows, [
    { head: "TOKEN", cell: ({ id }) => id },
    { head: "AGENT", cell: ({ agent: name }) => name },
    { head: "STATE", cell: (token) => stateOf(token, now) },
    { head: "ISSUED", cell: ({ createdAt, by }) => `${ago(createdAt, now)} by ${by}` },
    { head: "NOTE", cell: ({ note }) => note ?? "" },
  ]);
}

/** Issues another token for the agent of this one, and ends this one after the overlap. */
export async function rotateToken(
  given: string,
  switches: Lasting & { readonly overlap: number },
): Promise<void> {
  const id = tokenIdIn(given);
  const token = await withHouse(switches, (house) =>
    asOperator(house, "admin.tokens", "*", (caller) =>
      house.tokens.rotate(caller, id, switches.overlap, lifetimeOf(switches)),
    ),
  );
  printIssued(token, switches);
  terminal().stderr.write(`${id} holds for ${lasting(switches.overlap / 1000)} more, or until it expires.\n`);
}

/** Ends one token, or with `--agent` every token of an agent, within a second in every process. */
export async function revokeToken(given: string | undefined, switches: Switches): Promise<void> {
  if ((given === undefined) === (switches.agent === undefined))
    throw new UsageError("revoke needs the id of a token, or --agent NAME for all of an agent");
  const agent = switches.agent === undefined ? undefined : agentNamed(switches.agent);
  const ids = await withHouse(switches, async (house, config) =>
    agent === undefined
      ? [
          await asOperator(
            house,
            "admin.tokens",
            "*",
            async (caller) => (await house.tokens.revoke(caller, tokenIdIn(given!))).id,
          ),
        ]
      : house.tokens.revokeAll(operator(config), agent),
  );
  if (switches.json) printJson({ revoked: ids });
  else if (ids.length === 0) printLine(`${agent} has no token that still holds.`);
  else printLine(`${plural(ids.length, "token")} revoked: ${ids.join(", ")}.`);
}

/** Ends every token of an agent and issues another, for one that is lost or known to others. */
export async function recoverAgent(given: string, switches: Lasting): Promise<void> {
  const agent = agentNamed(given);
  const token = await withHouse(switches, (house, config) =>
    house.tokens.recover(operator(config), agent, lifetimeOf(switches)),
  );
  printIssued(token, switches);
}

/** Shows or sets the roles of an agent. */
export async function agentRoles(
  words: readonly string[],
  switches: Switches & { readonly reset?: boolean },
): Promise<void> {
  const [given, ...wanted] = words;
  const agent = agentNamed(given!);
  const unknown = wanted.find((word) => !(roles as readonly string[]).includes(word));
  if (unknown !== undefined) throw new UsageError(`the roles are ${roles.join(", ")}`);
  if (switches.reset && wanted.length > 0) throw new UsageError("--reset takes no roles beside it");
  const work = async (house: House, config: Config): Promise<readonly Role[]> => {
    if (switches.reset || wanted.length > 0)
      await house.tokens.setRoles(operator(config), agent, [...new Set(wanted)] as Role[]);
    else await recordLook(house, "admin.tokens", agent);
    return (await house.access.rules(config.namespace)).roles.get(agent) ?? [];
  };
  const held =
    wanted.length > 0 || switches.reset
      ? await withHouse(switches, work)
      : await lookInto(switches, [] as readonly Role[], work);
  if (switches.json) printJson({ agent, roles: held.length > 0 ? held : ["agent"], set: held.length > 0 });
  else if (held.length > 0) printLine(`${agent}: ${held.join(", ")}.`);
  else printLine(`${agent}: agent, as nothing else was set; a JWT may say otherwise.`);
}

function printIssued(issued: IssuedToken, { json }: Switches): void {
  const { token, ...about } = issued;
  if (json) {
    printJson({ token, ...dated(about) });
    return;
  }
  terminal().stderr.write(
    `Token ${about.id} for ${about.agent}, ${about.expiresAt === undefined ? "until it is revoked" : `until ${new Date(about.expiresAt).toISOString()}`}. It is shown this once:\n`,
  );
  printLine(token);
}

function dated({ createdAt, expiresAt, revokedAt, ...rest }: ListedToken): object {
  return {
    ...rest,
    created_at: new Date(createdAt).toISOString(),
    expires_at: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
    revoked_at: revokedAt === undefined ? null : new Date(revokedAt).toISOString(),
  };
}

function stateOf({ state, expiresAt }: ListedToken, now: number): string {
  if (state !== "live") return state;
  return expiresAt === undefined ? "live, never ends" : `live, ends in ${lasting((expiresAt - now) / 1000)}`;
}

function lifetimeOf({ expires, never, note }: Lasting): { ttlMs?: number; note?: string } {
  if (expires !== undefined && never) throw new UsageError("--expires and --never contradict each other");
  return {
    ...(never ? {} : { ttlMs: expires ?? standardMs }),
    ...(note === undefined ? {} : { note: note.slice(0, 200) }),
  };
}

/** A whole token is understood too, by its id; what was typed is not shown again, because it may prove something. */
function tokenIdIn(given: string): string {
  const id = parseToken(given)?.id ?? given;
  if (!/^[0-9a-f]{16}$/.test(id))
    throw new UsageError(
      "a token is named by 16 characters of 0-9 a-f; llm-mailbox agents tokens lists them",
    );
  return id;
}
