import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launchUntil, type Medium, storeOfProcess, type TestStore } from "./test-store.js";

const program = fileURLToPath(new URL("./embedded-process.mjs", import.meta.url));
const built = fileURLToPath(new URL("../../dist/redis/engine/embedded/index.js", import.meta.url));

/** The embedded engine as it is built, in a process of its own, without a supervisor. */
export function startEmbedded(medium: Medium = "memory"): Promise<TestStore> {
  if (!existsSync(built))
    throw new Error("the embedded engine is tested as it is built: run `npm run build` first");
  return storeOfProcess(
    "embedded",
    async (dataDir) => {
      const socketPath = join(dataDir, "engine.sock");
      return {
        url: `unix://${socketPath}`,
        launch: () => launchUntil(/^ready$/m, process.execPath, [program, dataDir, socketPath]),
      };
    },
    medium,
  );
}
