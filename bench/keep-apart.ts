import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const all = allowed();

/**
 * Keeps servers on a processor that their clients and their store do not use, all threads of each, until the answer is
 * called. Else the scheduler decides call by call whether a client and its server share one, and a server that shares
 * one with a client that waits for it does nothing for half the price: it never waits to be woken, and a call that asks
 * the store does not save that.
 */
export function keepApart(servers: readonly number[], others: readonly number[]): () => void {
  const [own, ...rest] = all;
  const release = (): void => {
    for (const pid of [...servers, ...others]) place(pid, all);
  };
  if (
    own === undefined ||
    rest.length === 0 ||
    !servers.every((pid) => place(pid, [own])) ||
    !others.every((pid) => place(pid, rest))
  ) {
    process.stderr.write("  servers share processors with their clients: it takes two, and taskset\n");
    release();
    return () => undefined;
  }
  return release;
}

function place(pid: number, processors: readonly number[]): boolean {
  return spawnSync("taskset", ["-a", "-c", "-p", processors.join(), String(pid)]).status === 0;
}

/** The processors that this process may use when it starts. */
function allowed(): readonly number[] {
  const [, list = ""] = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync("/proc/self/status", "latin1")) ?? [];
  return list.split(",").flatMap((part) => {
    const [from = Number.NaN, to = from] = part.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, n) => from + n);
  });
}
