// One of many processes that want the engine at once: says which it got, and counts itself in the store.
import { Redis } from "ioredis";
import { ensureEngine } from "../../../dist/redis/engine/index.js";

const [dataDir, engine, supervisor] = process.argv.slice(2);
const found = await ensureEngine({
  dataDir,
  engine,
  idleMs: 2_000,
  supervisorCommand: [process.execPath, supervisor],
  log: () => {},
});
const client = new Redis({ path: found.socketPath });
const count = await client.incr("processes");
const info = await client.info("server");
process.stdout.write(JSON.stringify({ ...found, count, server: /run_id:(\w+)/.exec(info)?.[1] }));
process.stdin.resume().on("end", () => process.exit(0));
