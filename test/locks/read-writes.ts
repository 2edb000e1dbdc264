import type { Resource } from "../../src/addresses/index.js";
import type { StateVersion } from "../../src/state/index.js";
import type { Written } from "./check-writes.js";

/** How the versions of an entry are listed. */
type List = (
  key: string,
) => Promise<{ readonly versions: readonly StateVersion[]; readonly forgotten: number }>;

/** What was really written to some entries of state, whatever the writers were answered. */
export async function readWrites(keys: readonly string[], list: List): Promise<readonly Written[]> {
  const writes: Written[] = [];
  for (const key of keys) {
    const { versions, forgotten } = await list(key);
    if (forgotten > 0) throw new Error(`${forgotten} writes to ${key} are not kept any more`);
    for (const { version, by, at, value } of versions) {
      const { resource, token } = JSON.parse(value!) as { resource: Resource; token: number };
      writes.push({ version, by, at: Date.parse(at), resource, token });
    }
  }
  return writes;
}
