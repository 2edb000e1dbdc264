import type { Locker, LockHouse } from "./open-locks.js";

/** An agent whose clients reserve by hooks what they edit, in one session unless another one is named. */
export interface HookAgent extends Locker {
  readonly name: string;
  /** Fails where the edit would be refused. */
  edits(file: string, leaseSeconds?: number, session?: string): Promise<void>;
  endsTurn(session?: string): Promise<void>;
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
        edits: async (file: string, leaseSeconds = 900, session = "s") => {
          const take = { session, lease_seconds: leaseSeconds };
          const { reserved, wanted, refused } = await locks.guardFiles(principal, { files: [file], take });
          const found = [...reserved, ...wanted, ...refused];
          if (found.length > 0) throw new Error(`${name} may not edit ${file}: ${JSON.stringify(found)}`);
        },
        endsTurn: (session = "s") => locks.guardStop(principal, session),
      };
    }),
  );
}
