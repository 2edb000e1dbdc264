import {
  approvalKeys,
  directoryKeys,
  lockKeys,
  mailboxKeys,
  policyKeys,
  stateGroupKeys,
  topicRootKeys,
} from "../redis/index.js";

/** A place where decisions are recorded: `mb:alice`, `tp:builds`, `st:plan`, `lk`, `po`, `ap` or `dir`. */
export type Slot = string;

/** Who knows which mailboxes, topic roots and groups of shared state there are; compose hands it in. */
export interface Places {
  mailboxes(namespace: string): Promise<readonly string[]>;
  roots(namespace: string): Promise<readonly string[]>;
  groups(namespace: string): Promise<readonly string[]>;
}

/** What nobody registers, and where rows are all the same: the command line's, and those of callers without a name. */
const alwaysThere: readonly Slot[] = ["dir", "lk", "po", "ap", "mb:operator"];

export async function slotsOf(places: Places, namespace: string): Promise<readonly Slot[]> {
  const [mailboxes, roots, groups] = await Promise.all([
    places.mailboxes(namespace),
    places.roots(namespace),
    places.groups(namespace),
  ]);
  return [
    ...alwaysThere,
    ...mailboxes.filter((name) => name !== "operator").map((name) => `mb:${name}`),
    ...roots.map((root) => `tp:${root}`),
    ...groups.map((group) => `st:${group}`),
  ];
}

/** The list of rows of a slot. */
export function slotKey(namespace: string, slot: Slot): string {
  if (slot.startsWith("mb:")) return mailboxKeys(namespace, slot.slice(3)).audit;
  if (slot.startsWith("tp:")) return topicRootKeys(namespace, slot.slice(3)).audit;
  if (slot.startsWith("st:")) return stateGroupKeys(namespace, slot.slice(3)).audit;
  switch (slot) {
    case "lk":
      return lockKeys(namespace).audit;
    case "po":
      return policyKeys(namespace).audit;
    case "ap":
      return approvalKeys(namespace).audit;
    default:
      return directoryKeys(namespace).audit;
  }
}
