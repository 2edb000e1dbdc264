import { Redis } from "ioredis";
import { vi } from "vitest";
import { type House, openHouse } from "../../src/compose.js";
import { readConfig } from "../../src/config/index.js";
import {
  type Caller,
  localPrincipal,
  operatorPrincipal,
  type Role,
  type RunId,
} from "../../src/identity/index.js";
import type { AcquireLock, LockAnswer, LockLimits, LockList, Released } from "../../src/locks/index.js";
import { openLog } from "../../src/observability/index.js";
import { patientMs } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

/** A process of the product, and agents in it that lock. Two of one namespace are as two processes. */
export interface LockHouse {
  readonly house: House;
  readonly namespace: string;
  as(agent: string, ...roles: readonly Role[]): Promise<Locker>;
  close(): Promise<void>;
}

/** One run of an agent. */
export interface Locker {
  readonly caller: Caller;
  acquire(
    resources: string | string[],
    more?: Partial<AcquireLock>,
    signal?: AbortSignal,
  ): Promise<LockAnswer>;
  /** Goes on with a ticket. */
  claim(ticket: string, more?: Partial<AcquireLock>): Promise<LockAnswer>;
  renew(lockId: string, leaseSeconds?: number): Promise<LockAnswer>;
  release(id: string, more?: object): Promise<Released>;
  list(resource?: string): Promise<LockList>;
  news(): Promise<readonly string[]>;
  /** The run ends in good order. */
  end(): Promise<void>;
}

export async function openLocks(
  url: string,
  limits: Partial<LockLimits> = {},
  namespace: string = newNamespace(),
  settings: Record<string, string> = {},
): Promise<LockHouse> {
  const config = readConfig({
    REDIS_URL: url,
    LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
    LLM_MAILBOX_NAMESPACE: namespace,
    LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "1000000",
    ...settings,
  });
  const house = await openHouse(config, openLog("silent"), { locks: limits, callTimeoutMs: patientMs });
  return {
    house,
    namespace,
    as: async (agent, ...roles) => {
      const principal = localPrincipal(namespace, agent);
      return locker(
        house,
        await house.rooms.runs.begin(roles.length > 0 ? { ...principal, roles } : principal),
      );
    },
    close: () => house.close(),
  };
}

function locker(house: House, caller: Caller): Locker {
  const { locks, runs } = house.rooms;
  return {
    caller,
    acquire: (resources, more, signal) =>
      locks.acquireLock(
        caller,
        { resources: typeof resources === "string" ? [resources] : resources, ...more },
        signal ? { signal } : {},
      ),
    claim: (ticket, more) => locks.acquireLock(caller, { ticket, ...more }),
    renew: (lockId, leaseSeconds) =>
      locks.acquireLock(caller, {
        lock_id: lockId,
        ...(leaseSeconds === undefined ? {} : { lease_seconds: leaseSeconds }),
      }),
    release: (id, more) => locks.releaseLock(caller, { lock_id: id, ...more }),
    list: (resource) => locks.listLocks(caller, resource === undefined ? {} : { resource }),
    news: async () =>
      (await locks.news(caller)).map(
        (one) => `${one.what} ${"circle" in one ? one.circle : "count" in one ? one.count : one.id}`,
      ),
    end: () => runs.end(caller),
  };
}

/** Whoever runs the command line where a house is. */
export function operatorOf({ namespace }: LockHouse): Caller {
  return { principal: operatorPrincipal(namespace), run: { id: "operator/command-line" as RunId } };
}

/** The store itself, to look at and to set what only time would. */
export function rawStore(url: string): Redis {
  if (url.startsWith("unix://")) return new Redis({ path: url.slice("unix://".length) });
  const { hostname, port } = new URL(url.replace("redis+cluster:", "redis:"));
  return new Redis({ host: hostname, port: Number(port) });
}

/** Lets lock time be so much later, as if nothing else had happened meanwhile. */
export async function passTime(url: string, namespace: string, ms: number): Promise<void> {
  const redis = rawStore(url);
  await redis.hincrby(`{${namespace}:lk}:meta`, "time", ms);
  redis.disconnect();
}

/** Until it is so: longer than `vi.waitFor` by itself, and sooner than a heartbeat would bring it about. */
export function soon<T>(isSo: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(isSo, { timeout: 4_000 });
}
