import { isLegacyRequest, PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/server";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isOlderEra } from "../../src/mcp/is-older-era.js";

const odd = fc.constantFrom<unknown>(null, 0, 1.5, 7, "", "x", true, [], {}, [1]);
const versions = fc.constantFrom(
  "2026-07-28",
  "2025-11-25",
  "2024-11-05",
  "2027-01-01",
  "",
  "x",
  " 2026-07-28 ",
);
const meta = fc.oneof(
  odd,
  fc.record(
    {
      progressToken: odd,
      [PROTOCOL_VERSION_META_KEY]: fc.oneof(versions, odd),
      "io.modelcontextprotocol/clientInfo": fc.oneof(odd, fc.constant({ name: "x", version: "1" })),
      "io.modelcontextprotocol/clientCapabilities": fc.oneof(odd, fc.constant({})),
      other: odd,
    },
    { requiredKeys: [] },
  ),
);
const params = fc.oneof(
  { weight: 1, arbitrary: odd },
  {
    weight: 9,
    arbitrary: fc.record({ name: odd, protocolVersion: versions, _meta: meta }, { requiredKeys: [] }),
  },
);
const body = fc.oneof(
  { weight: 1, arbitrary: odd },
  {
    weight: 9,
    arbitrary: fc.record(
      {
        jsonrpc: fc.oneof({ weight: 9, arbitrary: fc.constant("2.0") }, odd),
        id: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(1, "a") }, odd),
        method: fc.oneof(
          {
            weight: 9,
            arbitrary: fc.constantFrom("tools/call", "initialize", "ping", "notifications/cancelled"),
          },
          odd,
        ),
        params,
      },
      { requiredKeys: ["jsonrpc"] },
    ),
  },
  fc.record(
    { jsonrpc: fc.constant("2.0"), id: odd, method: odd, result: odd, error: odd, extra: odd },
    { requiredKeys: ["jsonrpc"] },
  ),
);
const headers = fc.record(
  {
    "mcp-protocol-version": versions,
    "mcp-method": fc.constantFrom("tools/call", "x"),
    "mcp-session-id": fc.constant("s"),
  },
  { requiredKeys: [] },
);

describe("the era of a request", () => {
  it("is what the SDK says, also where it is not asked", async () => {
    let plain = 0;
    await fc.assert(
      fc.asyncProperty(body, headers, async (message, named) => {
        const request = () =>
          new Request("http://localhost/mcp", {
            method: "POST",
            headers: { ...named, "content-type": "application/json" },
          });
        const said = isOlderEra(request(), message);
        if (typeof said === "boolean") plain += 1;
        expect(await said).toBe(await isLegacyRequest(request(), message));
      }),
      { numRuns: 4_000 },
    );
    expect(plain).toBeGreaterThan(300);
  });
});
