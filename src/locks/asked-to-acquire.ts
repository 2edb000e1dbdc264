import { formatAddress, parseAddress, parseResources, type Resource } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { AcquireLock } from "./contract.js";

type AskedToAcquire = Pick<AcquireLock, "mode" | "priority" | "lease_seconds" | "notify"> & {
  readonly resources: readonly Resource[];
};

/** What rules and people are asked about. How long the call waits, and how it names its ticket, is no part of it. */
export function askedToAcquire(
  { mode = "exclusive", priority, lease_seconds, notify }: AcquireLock,
  resources: readonly Resource[],
): AskedToAcquire {
  return {
    resources,
    mode,
    ...(priority === undefined ? {} : { priority }),
    ...(lease_seconds === undefined ? {} : { lease_seconds }),
    ...(notify === undefined ? {} : { notify }),
  };
}

/**
 * The same of a call that an agent has still to make.
 *
 * @throws {MailboxError} `input.invalid`, `lock.resource_invalid`, `address.invalid` for one that could not be made
 */
export function acquireAsAsked(input: AcquireLock, agent: string): AskedToAcquire {
  const resources = parseResources(input.resources ?? []);
  if (resources.length === 0) refuse("input.invalid", { problem: "name resources" });
  if (input.notify !== undefined) whereToTell(agent, input.notify);
  return askedToAcquire(input, resources);
}

/** @throws {MailboxError} `input.invalid` for any other place than the agent's own mailbox or a topic */
export function whereToTell(agent: string, given: string): string {
  const address = parseAddress(given);
  const own = address.kind === "agent" && address.name === agent;
  if (!own && address.kind !== "topic")
    refuse("input.invalid", { problem: "notify takes your own name, or a topic such as topic:builds.ci" });
  return formatAddress(address);
}
