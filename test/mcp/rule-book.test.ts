import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { catalogue } from "../../src/errors/index.js";
import { actions } from "../../src/identity/index.js";
import { instructions } from "../../src/mcp/instructions.js";
import { checkIn } from "../../src/mcp/prompts/check-in.js";
import { handOver } from "../../src/mcp/prompts/hand-over.js";
import { toolbox } from "../../src/mcp/toolbox.js";
import { listedTools } from "./support.js";

const listed = await listedTools();
const ordinary = await listedTools({ mayUse: (action) => !action.startsWith("admin.") });
const structured = await listedTools({ structured: true });
const contracts = new URL("./contracts/", import.meta.url);

/** Names written like tools: two or three words joined by underscores. */
function toolLike(text: string): string[] {
  return [
    ...text.matchAll(
      /\b(?:send|read|ack|search|subscribe|find|my|acquire|release|list|get|put|check|settle|decide|manage)_[a-z]+(?:_[a-z]+)?\b/g,
    ),
  ].map((match) => match[0]);
}

function schemaKeys(value: unknown): string[] {
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...schemaKeys(inner)]);
}

describe("the tools together", () => {
  it("are for an agent those of messaging, locks, shared state and policy, in the order of their use", () => {
    expect(ordinary.map((tool) => tool.name)).toEqual([
      "send_message",
      "read_inbox",
      "ack_messages",
      "search_messages",
      "subscribe_topic",
      "find_recipients",
      "my_status",
      "acquire_lock",
      "release_lock",
      "list_locks",
      "get_state",
      "put_state",
      "check_policy",
      "settle_reservation",
    ]);
  });

  it("are one more for whoever has the right to it", () => {
    expect(listed.map((tool) => tool.name)).toEqual([
      ...ordinary.map((tool) => tool.name),
      "manage_dead_letters",
    ]);
  });

  it("say each which action they need, of those that can be granted", () => {
    for (const { name, needs } of toolbox) {
      expect([name, needs.length > 0]).toEqual([name, true]);
      for (const action of needs) expect(actions).toContain(action);
    }
  });

  it("cost an agent at most 2,900 tokens in tools/list, 550 of them for locks, 330 for shared state and 520 for policy", () => {
    expect(JSON.stringify({ tools: ordinary }).length / 4).toBeLessThanOrEqual(2_900);
    expect(JSON.stringify(ordinary.slice(-7, -4)).length / 4).toBeLessThanOrEqual(550);
    expect(JSON.stringify(ordinary.slice(-4, -2)).length / 4).toBeLessThanOrEqual(330);
    expect(JSON.stringify(ordinary.slice(-2)).length / 4).toBeLessThanOrEqual(520);
  });

  it("are each in a file of their own, named for them", () => {
    const files = readdirSync(new URL("../../src/mcp/tools/", import.meta.url)).sort();
    expect(files).toEqual(toolbox.map((tool) => `${tool.name.replaceAll("_", "-")}.ts`).sort());
  });

  it("have each a contract on file, and no contract without a tool", () => {
    expect(readdirSync(contracts).sort()).toEqual(listed.map((tool) => `${tool.name}.json`).sort());
  });
});

describe.each(listed.map((tool) => [tool.name, tool] as const))("%s", (name, tool) => {
  it("keeps the contract on file (UPDATE_CONTRACTS=1 writes it anew, for the diff to show)", () => {
    const file = new URL(`${name}.json`, contracts);
    if (process.env.UPDATE_CONTRACTS) writeFileSync(file, `${JSON.stringify(tool, null, 2)}\n`);
    expect(tool).toEqual(JSON.parse(readFileSync(file, "utf8")));
  });

  it("states all four annotations", () => {
    expect(Object.keys(tool.annotations).sort()).toEqual([
      "destructiveHint",
      "idempotentHint",
      "openWorldHint",
      "readOnlyHint",
    ]);
    for (const value of Object.values(tool.annotations)) expect(typeof value).toBe("boolean");
  });

  it("has a schema without unions, references and nesting tricks", () => {
    const keys = schemaKeys(tool.inputSchema);
    expect(keys.length).toBeGreaterThan(3);
    for (const trick of [
      "anyOf",
      "oneOf",
      "allOf",
      "not",
      "$ref",
      "$defs",
      "$schema",
      "const",
      "if",
      "prefixItems",
    ])
      expect(keys).not.toContain(trick);
    for (const [argument, schema] of Object.entries(tool.inputSchema.properties)) {
      expect([argument, typeof schema.type]).toEqual([argument, "string"]);
      if (schema.type === "array") expect([argument, schema.items]).toEqual([argument, { type: "string" }]);
    }
  });

  it("says what it does in one to three sentences, and speaks only of tools that exist", () => {
    expect(tool.title.length).toBeGreaterThan(5);
    expect(tool.description).toMatch(/^[A-Z].*\.$/);
    expect(tool.description.length).toBeLessThanOrEqual(260);
    const known = new Set(listed.map((one) => one.name));
    for (const mentioned of toolLike(tool.description)) expect(known).toContain(mentioned);
  });

  it("offers an idempotency key if it changes something, and none if it only reads", () => {
    const takes = "idempotency_key" in tool.inputSchema.properties;
    // Reading moves a position that the server keeps by itself: a lost reply is delivered again.
    if (name === "read_inbox") expect(takes).toBe(false);
    else expect(takes).toBe(!tool.annotations.readOnlyHint);
  });

  it("has no output schema for a model, and one for a program that asked for it", () => {
    expect(tool.outputSchema).toBeUndefined();
    const asked = structured.find((one) => one.name === name);
    expect(asked?.outputSchema).toMatchObject({ type: "object", properties: { error: { type: "object" } } });
    expect(asked?.outputSchema).not.toHaveProperty("required");
  });
});

describe("what an agent reads before it starts", () => {
  it("is under 2,000 characters and names the product first", () => {
    expect(instructions.length).toBeLessThan(2_000);
    expect(instructions.startsWith("LLM Mailbox")).toBe(true);
  });

  it("goes from start to trust in the order of importance", () => {
    const order = ["Start:", "Read:", "Wait:", "Send:", "Change:", "Risk:", "Facts:", "Trust:"];
    const places = order.map((word) => instructions.indexOf(`\n${word}`));
    expect(places.every((place) => place > 0)).toBe(true);
    expect([...places].sort((a, b) => a - b)).toEqual(places);
  });

  it("says that it is not for the client's own messages and sub-agents", () => {
    expect(instructions).toContain("not to your own sub-agents");
    expect(listed[0]!.description).toContain("not to your own sub-agents");
  });

  it("mentions only tools that exist", () => {
    const names = new Set(listed.map((tool) => tool.name));
    const texts = [
      instructions,
      checkIn.text({}),
      handOver.text({ to: "bob", about: "x" }),
      handOver.text({}),
      ...Object.values(catalogue).map((entry) => entry.text),
    ];
    const mentioned = texts.flatMap(toolLike).filter((word) => word !== "ack_required");
    expect(mentioned.length).toBeGreaterThan(10);
    for (const word of mentioned) expect(names).toContain(word);
  });
});
