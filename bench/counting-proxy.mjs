// Stands between a server and its store and counts what the server asks, by command. A line in is answered by a line
// with the counts since the line before: `{"commands": {"EVALSHA": 3}, "connections": 2}`.
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";

const [listenPath, storePath] = process.argv.slice(2);
let counts = {};
let connections = 0;
createServer((client) => {
  connections++;
  const store = connect(storePath);
  client.on("data", (chunk) => {
    for (const [, name] of chunk.toString("latin1").matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g)) {
      const key = name.toUpperCase();
      counts[key] = (counts[key] ?? 0) + 1;
    }
    if (!store.write(chunk)) client.pause();
  });
  store.on("drain", () => client.resume());
  store.on("data", (chunk) => {
    if (!client.write(chunk)) store.pause();
  });
  client.on("drain", () => store.resume());
  for (const [one, other] of [
    [client, store],
    [store, client],
  ]) {
    one.on("error", () => {});
    one.on("close", () => {
      if (one === client) connections--;
      other.destroy();
    });
  }
}).listen(listenPath, () => process.stdout.write("ready\n"));
createInterface({ input: process.stdin })
  .on("line", () => {
    process.stdout.write(`${JSON.stringify({ commands: counts, connections })}\n`);
    counts = {};
  })
  .on("close", () => process.exit(0));
