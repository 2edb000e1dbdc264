import { formatAddress, parseAddress } from "../addresses/index.js";
import type { House } from "../compose.js";
import { UsageError } from "./usage-error.js";

/** Every mailbox of the namespace: of agents, of names that nobody has claimed yet, and of queues. */
export async function allMailboxes(house: House): Promise<readonly string[]> {
  const { namespace } = house.config;
  const [agents, unclaimed, queues] = await Promise.all([
    house.directory.agents(namespace),
    house.directory.unclaimed(namespace),
    house.directory.queues(namespace),
  ]);
  const names = [...new Set([...agents.keys(), ...unclaimed.keys()])].sort();
  return [...names, ...[...queues.keys()].sort().map((name) => `queue:${name}`)];
}

/** What a person typed for a mailbox: an agent or `queue:NAME`. */
export function mailboxNamed(given: string): string {
  const address = parseAddress(given);
  if (address.kind !== "agent" && address.kind !== "queue")
    throw new UsageError(`${given} is not a mailbox; say the name of an agent, or queue:NAME`);
  return formatAddress(address);
}
