import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export interface ServerBinary {
  readonly path: string;
  readonly family: "redis" | "valkey";
  readonly version: string;
}

/** The servers on PATH that tell their version, Valkey first. */
export function findServers(searchPath = process.env.PATH ?? ""): ServerBinary[] {
  const found: ServerBinary[] = [];
  for (const family of ["valkey", "redis"] as const) {
    const name = process.platform === "win32" ? `${family}-server.exe` : `${family}-server`;
    const path = searchPath
      .split(delimiter)
      .filter((directory) => directory !== "")
      .map((directory) => join(directory, name))
      .find(isExecutable);
    const server = path && askVersion(path);
    // On some systems redis-server is a link to valkey-server: the version line knows.
    if (server && !found.some((other) => other.family === server.family)) found.push(server);
  }
  return found;
}

function askVersion(path: string): ServerBinary | undefined {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 5_000 });
  const version = /v=(\d+\.\d+\.\d+)/.exec(stdout ?? "")?.[1];
  return version ? { path, version, family: /valkey/i.test(stdout) ? "valkey" : "redis" } : undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
