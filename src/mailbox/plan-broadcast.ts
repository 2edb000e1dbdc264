import { type Address, formatAddress } from "../addresses/index.js";
import type { MailboxError } from "../errors/index.js";
import type { Asked, Caller } from "../identity/index.js";
import type { MailContext } from "./context.js";

/** Whom a send to `everyone` is for. */
export interface Broadcast {
  readonly reached: readonly string[];
  /** Who is left out by a rule of policy, and why. */
  readonly refused: ReadonlyMap<string, MailboxError>;
  /** Told once the send was let pass, and whether it reaches anybody. @throws {MailboxError} `store.*` */
  readonly admitted: (reachesAny: boolean) => Promise<void>;
  /** Told whether the send had an effect. Never rejects. */
  readonly settle: (hadEffect: boolean) => Promise<void>;
}

const none: Broadcast = {
  reached: [],
  refused: new Map(),
  admitted: async () => {},
  settle: async () => {},
};

/**
 * A broadcast is no way around a deny: it reaches those to whom its sender may write, and of these the ones to whom rules
 * let it write. Whoever is named beside it is asked about by name, and is no part of it.
 */
export async function planBroadcast(
  { deps }: MailContext,
  caller: Caller,
  addresses: readonly Address[],
  asked: Asked,
): Promise<Broadcast> {
  if (addresses.every(({ kind }) => kind !== "everyone")) return none;
  const may = await deps.rightsOf(caller);
  if (!may("mailbox.send", "everyone")) return none;
  const named = new Set(addresses.map(formatAddress));
  const { namespace, agent } = caller.principal;
  const names = [...(await deps.directory.agents(namespace)).keys()].filter(
    (name) => name !== agent && !named.has(name) && may("mailbox.send", name),
  );
  const decided = await deps.decideEach(caller, names, asked);
  return { reached: names.filter((name) => !decided.refused.has(name)), ...decided };
}
