// The least there is between two processes that share a store: a line in is published, what is heard is a line out.
import { createInterface } from "node:readline";
import { Redis } from "ioredis";

const [role, path, writing] = process.argv.slice(2);
const redis = new Redis({ path, protocol: 2, disableClientInfo: true });
const input = createInterface({ input: process.stdin });
// What keeps a process busy: an empty line comes back.
input.on("line", (line) => line === "" && process.stdout.write("\n"));
// With `writing` each side writes something as well, as whoever hands over and whoever takes over has to.
if (role === "hear") {
  const ear = redis.duplicate();
  await ear.subscribe("bench-hop");
  ear.on("message", async (_channel, message) => {
    if (writing) await redis.set("bench-hop:heard", message);
    process.stdout.write(`${message}\n`);
  });
} else
  input.on("line", (line) => {
    if (line === "") return;
    const said = redis.pipeline().publish("bench-hop", line);
    if (writing) said.set("bench-hop:said", line);
    said.exec();
  });
await redis.ping();
process.stdout.write("ready\n");
input.once("close", () => process.exit(0));
