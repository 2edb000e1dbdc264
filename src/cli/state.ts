import { visible } from "../addresses/index.js";
import * as shared from "../state/index.js";
import { NotThere } from "./not-there.js";
import { ago, plural, printJson, printLine, printTable } from "./print.js";
import { standardInput } from "./standard-input.js";
import { endWith, terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { lookInto, operator, type Switches, withHouse } from "./with-house.js";

const mostOfStandardInput = 2 * 1024 * 1024;

/** Lists the entries whose keys begin with a prefix, in the order of their keys. */
export async function listState(
  prefix: string | undefined,
  switches: Switches & { readonly limit: number },
): Promise<void> {
  const nothing = { entries: [] as shared.StateEntry[], more: false, now: Date.now() };
  const { entries, more, now } = await lookInto(switches, nothing, async (house, config) => {
    const found: shared.StateEntry[] = [];
    let cursor: string | undefined;
    do {
      const page = await shared.getState(house.state, operator(config), {
        prefix: prefix ?? "",
        ...(cursor === undefined ? {} : { cursor }),
      });
      found.push(...page.entries);
      cursor = page.cursor;
    } while (cursor !== undefined && found.length < switches.limit);
    return {
      entries: found.slice(0, switches.limit),
      more: cursor !== undefined || found.length > switches.limit,
      now: house.store.now(),
    };
  });
  if (switches.json) return printJson({ entries, more });
  if (entries.length === 0)
    return printLine(
      prefix
        ? "No key begins so."
        : "No shared state yet: llm-mailbox state put KEY VALUE, or put_state, begins it.",
    );
  printTable(entries, [
    { head: "KEY", cell: ({ key }) => key },
    { head: "VALUE", cell: ({ value }) => value },
    { head: "BY", cell: ({ by, verified }) => by + (verified ? "" : " (unverified)") },
    { head: "WRITTEN", cell: ({ at }) => ago(Date.parse(at), now) },
    { head: "EXPIRES", cell: ({ expires_at }) => expires_at ?? "never" },
  ]);
  if (more) printLine(`\nThere are more: --limit shows them, or a longer prefix fewer.`);
}

/** Shows the value that is kept under a key and nothing else, hidden characters made visible. */
export async function getState(key: string, switches: Switches): Promise<void> {
  const entry = await withHouse(
    switches,
    async (house, config) => (await shared.getState(house.state, operator(config), { key })).entries[0],
  );
  if (!entry) throw new NotThere(`there is no entry under ${visible(key)}`);
  if (switches.json) return printJson(entry);
  printLine(visible(entry.value, "\n\t"));
}

/** Writes what is kept under a key, or deletes it. */
export async function putState(
  key: string,
  value: string | undefined,
  switches: Switches & {
    readonly expectedVersion?: number;
    readonly ttl?: number;
    readonly delete?: boolean;
  },
): Promise<void> {
  if (switches.delete ? value !== undefined : value === undefined)
    throw new UsageError(
      "state put takes a value, or - to read it from standard input, or --delete and none",
    );
  const text =
    value === "-"
      ? await standardInput(mostOfStandardInput, "standard input is far longer than a value may be")
      : value;
  const result = await withHouse(switches, (house, config) =>
    shared.putState(house.state, operator(config), {
      key,
      ...(text === undefined ? {} : { value: text }),
      ...(switches.delete ? { delete: true } : {}),
      ...(switches.expectedVersion === undefined ? {} : { expected_version: switches.expectedVersion }),
      ...(switches.ttl === undefined ? {} : { ttl_seconds: switches.ttl }),
    }),
  );
  if (switches.json) printJson(result);
  else if (result.state === "conflict")
    terminal().stderr.write(
      `llm-mailbox: ${result.key} is ${result.current ? `at version ${result.current.version}, written by ${result.current.by}` : "not there, and --expected-version 0 creates it"}; nothing was written\n`,
    );
  else if (result.state === "absent") printLine(`There was no entry under ${result.key}.`);
  else printLine(`${result.key} is ${result.state}, version ${result.version}.`);
  // A script that asks for a version has to be told by the status that it lost.
  if (result.state === "conflict") endWith(1);
}

/** Shows the versions of a key that are kept, the newest first. */
export async function stateHistory(key: string, switches: Switches): Promise<void> {
  const { history, now } = await withHouse(switches, async (house, config) => ({
    history: await shared.listVersions(house.state, operator(config), key),
    now: house.store.now(),
  }));
  if (switches.json) return printJson(history);
  if (history.versions.length === 0)
    return printLine(`Nothing was ever written under ${history.key}, or it is long ago.`);
  printTable(history.versions, [
    { head: "VERSION", cell: ({ version }) => version, right: true },
    { head: "WHAT", cell: ({ what }) => what },
    { head: "BY", cell: ({ by, verified }) => (by ? by + (verified ? "" : " (unverified)") : "") },
    { head: "WHEN", cell: ({ at }) => ago(Date.parse(at), now) },
    { head: "VALUE", cell: ({ value }) => value ?? "" },
  ]);
  if (history.forgotten > 0)
    printLine(`\n${plural(history.forgotten, "earlier version")} are no longer kept.`);
}
