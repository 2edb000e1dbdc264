import { chmodSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import {
  attachSession,
  type CommandDefinition,
  type CommandExecutor,
  type CommandRegistry,
  createRedisCommandExecutor,
  RedisResult,
  RedisServerState,
} from "js-redis-server/core";
import { CompiledScripts } from "./compiled-scripts.js";
import { configCommand, waitCommand } from "./durability-commands.js";
import { HeldTransport } from "./held-transport.js";
import { Journal } from "./journal.js";
import { KeptScripts } from "./kept-scripts.js";
import type { Keyspace } from "./keyspace.js";
import { LiveDatabase } from "./live-database.js";
import { rangedCommands } from "./ranged-commands.js";
import { hastenScriptCalls } from "./script-calls.js";
import { allowFuel, keepWhole, mostFuel } from "./whole-scripts.js";

const compatibility = "redis-7.0";
const sweepEveryMs = 100;

export interface EmbeddedOptions {
  readonly dataDir: string;
  readonly socketPath: string;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
  /**
   * The journal could not be written, or a script was ended that had written: nothing further was answered, nothing of the
   * script is durable, and the process must end.
   */
  readonly onFatal: (error: Error) => void;
  readonly compactAboveBytes?: number;
  /** Instructions after which a script is ended. */
  readonly fuel?: number;
}

export interface EmbeddedEngine {
  readonly connections: number;
  /** Stops listening, answers what was asked, makes everything durable. */
  close(): Promise<void>;
}

/**
 * Serves the data directory's journal as a Redis on a unix socket, until closed.
 *
 * The caller makes sure that nobody else serves this directory or this socket path.
 *
 * @throws {DamagedJournal} when what is stored cannot be read whole
 */
export async function serveEmbedded(options: EmbeddedOptions): Promise<EmbeddedEngine> {
  const keyspace: Keyspace = new Map();
  const journal = Journal.open(options, keyspace);
  const scripts = new KeptScripts();
  const state = new RedisServerState({
    compatibility,
    activeExpiryIntervalMs: false,
    scriptCache: scripts,
  });
  const database = new LiveDatabase(keyspace, journal.effects, () => journal.effects.seal());
  (state.databases as LiveDatabase[])[0] = database;
  const executor = commandsOver(journal);
  // Now, so that no script waits for it in the middle of a transaction.
  allowFuel(options.fuel ?? mostFuel);
  const runtime = await state.getLuaRuntime();
  scripts.compileWith(new CompiledScripts(runtime));
  hastenScriptCalls(runtime, executor);
  keepWhole(runtime, journal.effects, (error) => fail(error));

  const holding = new Set<HeldTransport>();
  let scheduled = false;
  let failed = false;
  const fail = (error: Error): void => {
    failed = true;
    for (const socket of sockets) socket.destroy();
    options.onFatal(error);
  };
  const commit = (): void => {
    scheduled = false;
    if (failed) return;
    try {
      journal.commit();
    } catch (error) {
      fail(error as Error);
      return;
    }
    const released = [...holding];
    holding.clear();
    for (const transport of released) transport.release();
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(commit);
  };
  const onHeld = (transport: HeldTransport): void => {
    holding.add(transport);
    schedule();
  };

  const sockets = new Set<Socket>();
  const sessions = new Set<Promise<void>>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const { done } = attachSession(new HeldTransport(socket, onHeld), {
      state,
      executor,
      logger: { error: (error) => options.log("a connection failed", { error: String(error) }) },
    });
    sessions.add(done);
    void done.finally(() => {
      sessions.delete(done);
      schedule(); // it may have been cut off between a command and its reply
    });
  });
  await listen(server, options.socketPath);
  if (process.platform !== "win32") chmodSync(options.socketPath, 0o600);

  const sweep = async (): Promise<void> => {
    const turn = await database.turnQueue.waitTurn();
    const evicted = database.sweepExpired();
    turn.release();
    if (evicted > 0) schedule();
  };
  const sweeper = setInterval(() => void sweep(), sweepEveryMs);

  return {
    get connections() {
      return sockets.size;
    },
    async close() {
      clearInterval(sweeper);
      server.close();
      const turn = await database.turnQueue.waitTurn();
      turn.release();
      commit();
      for (const socket of sockets) socket.destroySoon();
      await Promise.allSettled(sessions);
      state.close();
      if (!failed) await journal.close();
    },
  };
}

/** The shipped commands, with ours in place of those that look at every member or do not know of the journal. */
function commandsOver(journal: Journal): CommandExecutor {
  const executor = createRedisCommandExecutor({
    compatibility,
    policies: [refuseWhenFull(journal)],
    extraCommands: [waitCommand as CommandDefinition],
  });
  const shipped = (name: string): CommandDefinition | undefined => executor.getCommandDefinition(name);
  // Extra commands cannot replace shipped ones; the registry can, and is private to the executor only by its type.
  const { registry } = executor as unknown as { registry: CommandRegistry };
  for (const definition of rangedCommands(shipped)) registry.override(definition);
  registry.override(configCommand(shipped("config")!));
  return executor;
}

type ExecutionPolicy = NonNullable<
  NonNullable<Parameters<typeof createRedisCommandExecutor>[0]>["policies"]
>[number];

/** Refuses what would write while there is no room: a script is refused at its first write, before it has done any. */
function refuseWhenFull(journal: Journal): ExecutionPolicy {
  return {
    name: "room-on-disk",
    beforeExecute(plan) {
      if (!plan.flags.includes("write") || plan.definition.capabilities?.scriptKeys || !journal.isFull)
        return;
      return RedisResult.error(
        "no room on the disk for the journal: nothing was changed, and writes are refused until there is",
        "MISCONF",
      );
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
