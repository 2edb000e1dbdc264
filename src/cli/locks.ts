import {
  type ForcedRelease,
  ForceReason,
  forceRelease,
  type LockList,
  listForced,
  listLocks,
  staleInWords,
  verifyToken,
} from "../locks/index.js";
import { NotThere } from "./not-there.js";
import { printJson, printLine, printTable } from "./print.js";
import { endWith } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { lookInto, operator, type Switches, withHouse } from "./with-house.js";

const mostForced = 20;

/** Lists who holds and who waits for what, and for programs also what was released by force. */
export async function listAllLocks(switches: Switches): Promise<void> {
  const nothing: { list: LockList; forced: readonly ForcedRelease[] } = {
    list: { holders: [], waiters: [], more: 0 },
    forced: [],
  };
  const { list, forced } = await lookInto(switches, nothing, async (house, config) => ({
    list: await listLocks(house.locks, operator(config), {}),
    forced: (await listForced(house.locks, operator(config), mostForced)) ?? [],
  }));
  if (switches.json)
    return printJson({
      ...list,
      forced: forced.map(shownForced),
    });
  const rows = [
    ...list.holders.map((one) => ({ ...one, id: one.lock_id, when: `until ${one.until}` })),
    ...list.waiters.map((one) => ({
      ...one,
      id: one.ticket,
      state: one.passed_over ? "passed over" : "waits",
      when: `since ${one.since}`,
    })),
  ];
  if (rows.length === 0) return printLine("Nothing is locked.");
  printTable(rows, [
    { head: "LOCK", cell: ({ id }) => id },
    { head: "STATE", cell: ({ state }) => state },
    { head: "AGENT", cell: ({ agent }) => agent },
    { head: "MODE", cell: ({ mode }) => mode },
    { head: "WHEN", cell: ({ when }) => when },
    { head: "RESOURCES", cell: ({ resources }) => resources.join(", ") },
  ]);
  if (list.more > 0) printLine(`and ${list.more} more`);
}

function shownForced({ at, lockId, ...one }: ForcedRelease) {
  return { at: new Date(at).toISOString(), lock_id: lockId, ...one };
}

/** Lists what was taken by force, by whom and why, newest first. */
export async function listTaken(
  switches: Switches & { readonly limit: number; readonly before?: string },
): Promise<void> {
  const { limit, before } = switches;
  const found = await lookInto(switches, before === undefined ? [] : undefined, (house, config) =>
    listForced(house.locks, operator(config), limit + 1, before),
  );
  if (!found) throw new NotThere("nothing of that id was taken by force, or it is no longer kept");
  const forced = found.slice(0, limit).map(shownForced);
  const next = found.length > limit ? forced.at(-1)?.lock_id : undefined;
  if (switches.json) return printJson({ forced, ...(next !== undefined && { next }) });
  if (forced.length === 0) return printLine("Nothing was taken by force.");
  printTable(forced, [
    { head: "LOCK", cell: (one) => one.lock_id },
    { head: "AT", cell: ({ at }) => at },
    { head: "FROM", cell: ({ agent }) => agent },
    { head: "BY", cell: ({ by }) => by },
    { head: "RESOURCES", cell: ({ resources }) => resources.join(", ") },
    { head: "REASON", cell: ({ reason }) => reason },
  ]);
  if (next !== undefined) printLine(`\nOlder ones: --before ${next}`);
}

/** Takes a lock or a place from whoever has it; who did so and why is written down with it. */
export async function releaseByForce(
  id: string,
  switches: Switches & { readonly reason: string },
): Promise<void> {
  const { data: reason } = ForceReason.safeParse(switches.reason);
  if (reason === undefined) throw new UsageError("--reason says why, in 1 to 500 characters");
  const released = await withHouse(switches, (house, config) =>
    forceRelease(house.locks, operator(config), id, reason),
  );
  if (!released) throw new NotThere("there is no such lock or ticket any more; llm-mailbox locks lists them");
  const { agent, next } = released;
  if (switches.json) return printJson({ lock_id: id, agent, next });
  printLine(`Taken from ${agent}${next.length > 0 ? `; next: ${next.join(", ")}` : ""}.`);
}

/** Tells whether a token is good for a resource now; ends with status 1 when it is not. */
export async function verifyLock(resource: string, given: string, switches: Switches): Promise<void> {
  if (!/^\d{1,16}$/.test(given)) throw new UsageError("a token is a whole number, as acquire_lock told it");
  const verdict = await withHouse(switches, (house, config) =>
    verifyToken(house.locks, operator(config), resource, Number(given)),
  );
  if (switches.json)
    printJson(
      verdict.valid
        ? {
            valid: true,
            lock_id: verdict.lockId,
            agent: verdict.agent,
            mode: verdict.mode,
            expires_at: new Date(verdict.expiresAt).toISOString(),
          }
        : verdict,
    );
  else if (verdict.valid)
    printLine(
      `Valid: ${verdict.agent} holds it${verdict.mode === "shared" ? ", shared," : ""} until ${new Date(verdict.expiresAt).toISOString()}.`,
    );
  else printLine(`${verdict.because === "never given" ? "Unknown" : "Stale"}: ${staleInWords(verdict)}.`);
  if (!verdict.valid) endWith(1);
}
