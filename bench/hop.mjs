// The least there is between two processes that share a store: a line in is published, what is heard is a line out.
import { createInterface } from "node:readline";
import { Redis } from "ioredis";

const [role, path] = process.argv.slice(2);
const redis = new Redis({ path, protocol: 2, disableClientInfo: true });
if (role === "hear") {
  await redis.subscribe("bench-hop");
  redis.on("message", (_channel, message) => process.stdout.write(`${message}\n`));
} else createInterface({ input: process.stdin }).on("line", (line) => void redis.publish("bench-hop", line));
await redis.ping();
process.stdout.write("ready\n");
process.stdin.resume().on("end", () => process.exit(0));
