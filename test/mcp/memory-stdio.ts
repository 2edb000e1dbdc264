import { serveStdio } from "../../src/mcp/index.js";
import { memoryRooms } from "./memory-rooms.js";

/** The stdio face as a process of its own, on rooms in memory. What became of runs and batches goes to stderr. */
const tell = (event: string, facts: object): void => {
  process.stderr.write(`${JSON.stringify({ event, ...facts })}\n`);
};
const silent = (): void => undefined;
const world = memoryRooms();
const rooms = {
  ...world,
  runs: {
    begin: async (principal: Parameters<typeof world.runs.begin>[0]) => {
      tell("begin", { agent: principal.agent });
      return world.runs.begin(principal);
    },
    seen: world.runs.seen,
    seenAgoMs: world.runs.seenAgoMs,
    end: async () => {
      tell("end", {});
      if (process.env.NEVER_ENDS) await new Promise(() => undefined);
    },
  },
  mail: {
    ...world.mail,
    readInbox: async (...args: Parameters<typeof world.mail.readInbox>) => {
      const inbox = await world.mail.readInbox(...args);
      if (inbox.batch) tell("taken", {});
      return inbox;
    },
    confirm: (caller: Parameters<typeof world.mail.confirm>[0], batch: string, reached: boolean) => {
      tell("confirm", { reached });
      world.mail.confirm(caller, batch, reached);
    },
  },
};
// Something that keeps the process alive, as a connection to a store does.
setInterval(silent, 60_000);
await serveStdio(rooms, {
  namespace: "default",
  version: "0.0.0",
  ...(process.env.AGENT && { agent: process.env.AGENT }),
  log: {
    debug: silent,
    info: silent,
    warn: (f, m) => tell("warn", { ...f, m }),
    error: (_f, m) => tell("error", { m }),
  },
});
tell("over", {});
process.exit(0);
