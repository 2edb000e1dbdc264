import { type EngineChoice, superviseEngine } from "../redis/engine/index.js";
import { leave } from "./terminal.js";

/** Owns the local engine of a data directory until nobody has used it for a while; started by us, not by people. */
export async function supervise(flags: { dataDir: string; engine: string; idleMs: string }): Promise<void> {
  await superviseEngine({
    dataDir: flags.dataDir,
    engine: flags.engine as EngineChoice,
    idleMs: Number(flags.idleMs),
  });
  leave(0);
}
