import { parseStateKey, stateGroupOf } from "../addresses/index.js";
import { isRefusal, type MailboxError, refuse } from "../errors/index.js";
import { type Caller, PendingRow, Repetition, rowOf } from "../identity/index.js";
import { digest, loadScript, type Reply } from "../redis/index.js";
import { askedToPut } from "./asked-to-put.js";
import { checkPut } from "./check-put.js";
import type { StateContext } from "./context.js";
import type { PutState, PutStateResult } from "./contract.js";
import { scriptLimits } from "./limits.js";
import { isoTime, shownEntry } from "./stored-entry.js";
import { valueText } from "./value-text.js";

const putScript = loadScript(import.meta.url, "put-state.lua");
const deleteScript = loadScript(import.meta.url, "delete-state.lua");

/** A write asks for room at most so often: each time it is refused, somebody else has taken or given back some. */
const roomAsked = 8;

/** Under which lock a write is made; all empty for a write under none. */
interface Fence {
  readonly resource: string;
  readonly token: number | "";
  readonly leaseEndsAt: number | "";
  /** Why the lease does not hold any more; a repetition of what was done while it held is answered all the same. */
  readonly refusal?: MailboxError;
}

/** What both kinds of write are given. */
interface Write {
  readonly key: string;
  readonly group: string;
  readonly operation: {
    readonly key: string;
    readonly digest: string;
    readonly attempt: string;
    readonly keepMs: number;
  };
  readonly expected: number | "";
  readonly agent: string;
  readonly verified: "1" | "0";
  readonly fence: Fence;
  /** The audit row of the decision that lets the caller write. */
  readonly row: string;
}

/**
 * Writes a new version of an entry, or ends it. With `expected_version` it does so only over that version (0: only where
 * there is none), and otherwise answers what is there: of several who expect the same version, exactly one wins. Repeated
 * with its idempotency key it is done once.
 *
 * Under a lock nothing is written after the lease is over by the store's clock, nor with a lower token than was seen.
 *
 * @throws {MailboxError} `state.*`, `lock.stale_token`, `access.denied`, `policy.*`, `input.invalid`
 */
export async function putState(
  context: StateContext,
  caller: Caller,
  input: PutState,
): Promise<PutStateResult> {
  const key = parseStateKey(input.key);
  checkPut(input);
  const value = input.delete ? "" : valueText(input.value!, context.limits);
  const { idempotency_key: idempotencyKey } = input;
  const repetition = new Repetition(() => firstAnswer(context, caller, input, key, value));
  const row = new PendingRow(
    await context.deps.admit(caller, "state.write", `state:${key}`, {
      arguments: askedToPut(input),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey, wasDone: repetition.wasDone }),
    }),
  );
  if (repetition.answer !== undefined) {
    await row.settle(false);
    return repetition.answer;
  }
  return row.settling(
    () => write(context, caller, input, { key, value, row: row.text }),
    ({ state, replayed }) => (state === "stored" || state === "deleted") && !replayed,
  );
}

/** What the same write with its key was answered; it is written no more, as one under a lock that is over. */
async function firstAnswer(
  context: StateContext,
  caller: Caller,
  input: PutState,
  key: string,
  value: string,
): Promise<PutStateResult | undefined> {
  const resource = `state:${key}`;
  const row = rowOf(caller, { action: "state.write", resource, outcome: "allow", because: "replayed" });
  const fence = { resource: input.resource ?? "*", token: 0, leaseEndsAt: 0 };
  try {
    const answer = await write(context, caller, input, { key, value, row, fence });
    return answer.replayed ? answer : undefined;
  } catch (error) {
    // Of a store that is away nobody knows; any other refusal means that there is nothing to repeat.
    if (!isRefusal(error) || error.kind === "UNAVAILABLE" || error.kind === "UNKNOWN") throw error;
    return undefined;
  }
}

async function write(
  context: StateContext,
  caller: Caller,
  input: PutState,
  {
    key,
    value,
    row,
    fence,
  }: Pick<Write, "key" | "row"> & Partial<Pick<Write, "fence">> & { readonly value: string },
): Promise<PutStateResult> {
  const { principal } = caller;
  const asked: Write = {
    key,
    group: stateGroupOf(key),
    operation: operationOf(context, caller, key, value, input),
    expected: input.expected_version ?? "",
    agent: principal.agent,
    verified: principal.verified ? "1" : "0",
    fence: fence ?? (await fenceOf(context, caller, input)),
    row,
  };
  const [word, ...told] = input.delete
    ? await end(context, principal.namespace, asked)
    : await put(context, principal.namespace, asked, value, (input.ttl_seconds ?? 0) * 1000);
  switch (word) {
    case "PUT":
    case "DELETED":
    case "REPLAYED": {
      const expires = input.delete ? 0 : Number(told[2]);
      return {
        key,
        state: input.delete ? "deleted" : "stored",
        version: Number(told[0]),
        ...(expires > 0 ? { expires_at: isoTime(expires) } : {}),
        replayed: word === "REPLAYED",
      };
    }
    case "ABSENT":
      return { key, state: "absent", replayed: false };
    case "CONFLICT": {
      const entry = String(told[0]);
      const shows = (await context.deps.rightsOf(caller))("state.read", `state:${key}`);
      return {
        key,
        state: "conflict",
        ...(!shows
          ? {}
          : entry === ""
            ? { version: 0 }
            : { current: shownEntry(key, entry, String(told[1])) }),
        replayed: false,
      };
    }
    case "REUSED":
      return refuse("state.idempotency_conflict");
    case "STALE":
    case "LEASE_OVER":
      if (asked.fence.refusal) throw asked.fence.refusal;
      return refuse("lock.stale_token", { done: "written" });
    case "MANY":
      return refuse("state.group_full", { group: `${asked.group}/`, count: Number(told[0]) });
    default:
      throw new Error(`a write of state was answered with ${word}`);
  }
}

async function put(
  context: StateContext,
  namespace: string,
  write: Write,
  value: string,
  lifeMs: number,
): Promise<Reply> {
  const { limits, rooms } = context;
  const { key, group, expected, operation, agent, verified, fence, row } = write;
  let room = await rooms.of(namespace, group);
  for (let asked = 0; asked < roomAsked; asked++) {
    const reply = await context.run(
      namespace,
      group,
      putScript,
      [],
      [
        scriptLimits(limits),
        operation.key,
        operation.digest,
        operation.attempt,
        operation.keepMs,
        key,
        value,
        expected,
        lifeMs,
        agent,
        verified,
        fence.resource,
        fence.token,
        fence.leaseEndsAt,
        limits.groupEntries,
        room.bytes,
        room.epoch,
        row,
      ],
    );
    if (reply[0] !== "ROOM") return reply;
    room = await rooms.grow(namespace, group, Number(reply[1]), Number(reply[2]));
  }
  return refuse("state.full", { limit: limits.namespaceBytes });
}

function end(
  context: StateContext,
  namespace: string,
  { key, group, expected, operation, agent, verified, fence, row }: Write,
): Promise<Reply> {
  return context.run(
    namespace,
    group,
    deleteScript,
    [],
    [
      scriptLimits(context.limits),
      operation.key,
      operation.digest,
      operation.attempt,
      operation.keepMs,
      key,
      expected,
      agent,
      verified,
      fence.resource,
      fence.token,
      fence.leaseEndsAt,
      row,
    ],
  );
}

async function fenceOf(context: StateContext, caller: Caller, input: PutState): Promise<Fence> {
  const { resource, fencing_token: token, idempotency_key } = input;
  if (resource === undefined || token === undefined) return { resource: "", token: "", leaseEndsAt: "" };
  try {
    const lease = await context.deps.leaseOf(caller, resource, token);
    return { resource: lease.resource, token, leaseEndsAt: Math.floor(lease.expiresAt) };
  } catch (error) {
    if (idempotency_key === undefined || !isRefusal(error, "lock.stale_token")) throw error;
    return { resource, token, leaseEndsAt: 0, refusal: error };
  }
}

/** Without a key of the caller only our own repetitions are told from new calls. */
function operationOf(
  context: StateContext,
  caller: Caller,
  key: string,
  value: string,
  input: PutState,
): Write["operation"] {
  const { idempotency_key: given, ...asked } = input;
  const attempt = context.deps.store.attempt();
  if (given === undefined)
    return { key: `a|${attempt}`, digest: "", attempt, keepMs: context.limits.attemptMs };
  return {
    key: `k|${caller.principal.agent}|${digest(["put_state", key, given])}`,
    digest: digest({ ...asked, key, value }),
    attempt,
    keepMs: context.limits.idempotencyMs,
  };
}
