// Serves one data directory on one socket until it is killed or the test that started it is gone.
import { rmSync } from "node:fs";
import { serveEmbedded } from "../../dist/redis/engine/embedded/index.js";

const [dataDir, socketPath, compactAboveBytes, fuel] = process.argv.slice(2);
rmSync(socketPath, { force: true });
await serveEmbedded({
  dataDir,
  socketPath,
  log: (event, facts) => process.stderr.write(`${event} ${JSON.stringify(facts)}\n`),
  onFatal: (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
  ...(compactAboveBytes ? { compactAboveBytes: Number(compactAboveBytes) } : {}),
  ...(fuel ? { fuel: Number(fuel) } : {}),
});
process.stdin.resume().on("end", () => process.exit(0));
process.stdout.write("ready\n");
