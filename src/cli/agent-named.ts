import { parseAddress } from "../addresses/index.js";
import { UsageError } from "./usage-error.js";

/** The name of an agent as it was typed, in the one form in which it is kept. @throws {UsageError} for any other address */
export function agentNamed(given: string): string {
  const address = parseAddress(given);
  if (address.kind !== "agent") throw new UsageError(`${given} is not the name of an agent`);
  return address.name;
}
