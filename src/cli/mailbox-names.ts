import { formatAddress, parseAddress } from "../addresses/index.js";
import { UsageError } from "./usage-error.js";

/** What a person typed for a mailbox: an agent or `queue:NAME`. */
export function mailboxNamed(given: string): string {
  const address = parseAddress(given);
  if (address.kind !== "agent" && address.kind !== "queue")
    throw new UsageError(`${given} is not a mailbox; say the name of an agent, or queue:NAME`);
  return formatAddress(address);
}
