// The least that the SDK needs to serve both eras over HTTP with its own adapter: one tool that does nothing. What a
// server of this SDK costs before anything is guarded, bound or kept.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, Server } from "@modelcontextprotocol/server";

const inputSchema = { type: "object" };
const tools = [{ name: "bench_nothing", description: "For the bench", inputSchema }];
const serve = () => {
  const server = new Server({ name: "bare", version: "0" }, { capabilities: { tools: {} } });
  server.setRequestHandler("tools/list", () => ({ tools }));
  server.setRequestHandler("tools/call", () => ({ content: [{ type: "text", text: "done" }] }));
  return server;
};
const modern = toNodeHandler(createMcpHandler(serve, { legacy: "reject" }));
const sessions = new Map();
const http = createServer(async (request, response) => {
  if (request.headers["mcp-protocol-version"] === "2026-07-28") return modern(request, response);
  const known = sessions.get(request.headers["mcp-session-id"]);
  if (known) return known.handleRequest(request, response);
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, transport),
  });
  await serve().connect(transport);
  return transport.handleRequest(request, response);
});
http.listen(0, "127.0.0.1", () => {
  process.stderr.write(`  MCP      http://127.0.0.1:${http.address().port}/mcp?agent=NAME\n`);
});
process.once("SIGTERM", () => process.exit(0));
