import type { Locker, LockHouse } from "./open-locks.js";

/** An agent whose client reserves by hooks what it edits, in one session. */
export interface HookAgent extends Locker {
  readonly name: string;
  /** Fails where the edit would be refused. */
  edits(file: string, leaseSeconds?: number): Promise<void>;
  endsTurn(): Promise<void>;
}

export function hookAgents(house: LockHouse, ...names: readonly string[]): Promise<readonly HookAgent[]> {
  const { locks } = house.house.rooms;
  return Promise.all(
    names.map(async (name) => {
      const locker = await house.as(name);
      const { principal } = locker.caller;
      return {
        ...locker,
        name,
        edits: async (file: string, leaseSeconds = 900) => {
          const take = { session: "s", lease_seconds: leaseSeconds };
          const { reserved, wanted, refused } = await locks.guardFiles(principal, { files: [file], take });
          const found = [...reserved, ...wanted, ...refused];
          if (found.length > 0) throw new Error(`${name} may not edit ${file}: ${JSON.stringify(found)}`);
        },
        endsTurn: () => locks.guardStop(principal, "s"),
      };
    }),
  );
}
