import { describe, expect, it } from "vitest";
import type { Caller } from "../../src/identity/index.js";
import { Connection } from "../../src/mcp/connection.js";
import { memoryRooms } from "./memory-rooms.js";
import { noLog } from "./support.js";

/** A connection that stays when its credential ends, and what it is told of that credential. */
function connect() {
  const world = memoryRooms();
  const watches: ((code: string) => void)[] = [];
  let unwatched = 0;
  const ended: { readonly caller: Caller; readonly how: string | undefined }[] = [];
  const rooms = {
    ...world,
    identity: {
      ...world.identity,
      whileHolds: (_held: unknown, onEnd: (code: string) => void) => {
        watches.push(onEnd);
        return () => {
          unwatched += 1;
        };
      },
    },
    runs: {
      ...world.runs,
      end: async (caller: Caller, how?: string) => {
        ended.push({ caller, how });
      },
    },
  };
  const connection = new Connection(
    rooms,
    { namespace: "n", version: "0", log: noLog },
    { agent: "alice", session: true, outlivesCredential: true },
  );
  const holds = () => watches.length - unwatched;
  return {
    connection,
    ended,
    holds,
    tell: (code: string) => {
      watches.at(-1)!(code);
      return new Promise((resolve) => setImmediate(resolve));
    },
  };
}

describe("a connection that outlives what its client is believed by", () => {
  it.each(["auth.invalid", "auth.required"])(
    "ends its run at %s, and begins another when believed again",
    async (code) => {
      const { connection, ended, holds, tell } = connect();
      let stopped = 0;
      connection.whileRunning(() => {
        stopped += 1;
      });
      const first = await connection.caller("x");
      expect(holds()).toBe(1);
      await tell(code);
      expect(ended).toEqual([{ caller: first, how: "cut short" }]);
      expect([stopped, holds(), await connection.begun()]).toEqual([1, 0, undefined]);
      const second = await connection.caller("x");
      expect(second.run.id).not.toBe(first.run.id);
      expect(second.principal).toEqual(first.principal);
      await tell(code);
      expect(ended.map(({ caller }) => caller)).toEqual([first, second]);
      await connection.end("left");
      expect([ended.length, stopped, holds()]).toEqual([2, 3, 0]);
    },
  );

  it("keeps its run while its agent is stopped, and goes on looking", async () => {
    const { connection, ended, holds, tell } = connect();
    const caller = await connection.caller("x");
    await tell("access.stopped");
    await tell("access.stopped");
    expect([ended, holds(), await connection.caller("x")]).toEqual([[], 1, caller]);
    await tell("auth.invalid");
    expect(ended).toEqual([{ caller, how: "cut short" }]);
  });

  it("ends its run once, and looks no more after it", async () => {
    const { connection, ended, holds, tell } = connect();
    const caller = await connection.caller("x");
    await connection.end("left");
    await tell("auth.invalid");
    expect([ended, holds()]).toEqual([[{ caller, how: "left" }], 0]);
  });
});
