// A proxy that gives each request to the next of the servers it was started with, as a load balancer without stickiness.
import { Agent, createServer, request } from "node:http";

const targets = process.argv.slice(2).map((url) => new URL(url));
const agent = new Agent({ keepAlive: true });
let next = 0;
const proxy = createServer((asked, response) => {
  const { hostname, port } = targets[next++ % targets.length];
  const headers = { ...asked.headers, host: `${hostname}:${port}` };
  const sent = request(
    { hostname, port, path: asked.url, method: asked.method, headers, agent },
    (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    },
  );
  sent.once("error", () => response.destroy());
  asked.pipe(sent);
});
proxy.listen(0, "127.0.0.1", () => {
  process.stderr.write(`  MCP      http://127.0.0.1:${proxy.address().port}/mcp?agent=NAME\n`);
});
process.once("SIGTERM", () => process.exit(0));
