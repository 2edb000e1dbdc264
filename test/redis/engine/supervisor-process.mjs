// The program a test names as supervisorCommand: what `llm-mailbox supervise` does, and nothing else.
import { superviseEngine } from "../../../dist/redis/engine/index.js";

const option = (name) => process.argv[process.argv.indexOf(name) + 1];
await superviseEngine({
  dataDir: option("--data-dir"),
  engine: option("--engine"),
  idleMs: Number(option("--idle-ms")),
});
process.exit(0);
