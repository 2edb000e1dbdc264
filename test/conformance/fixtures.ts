import { setTimeout as pause } from "node:timers/promises";
import { crc32, deflateSync } from "node:zlib";
import {
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  type ContentBlock,
  type GetPromptResult,
  type InputRequiredResult,
  inputRequired,
  type Prompt,
  type ReadResourceResult,
  type Resource,
  type ResourceTemplateType,
  type ServerContext,
  type Tool,
} from "@modelcontextprotocol/server";
import { ask, askModel, confirm, type Round, stillToAsk } from "./asking.js";

type Given = Readonly<Record<string, unknown>>;
type Envelope = { readonly [CLIENT_CAPABILITIES_META_KEY]?: { elicitation?: object; sampling?: object } };
type Answer<Result> = Promise<Result | InputRequiredResult> | Result | InputRequiredResult;

export interface ToolFixture extends Pick<Tool, "description" | "inputSchema"> {
  call(given: Given, context: ServerContext): Answer<CallToolResult>;
}

export interface PromptFixture extends Pick<Prompt, "description" | "arguments"> {
  get(given: Readonly<Record<string, string>>, context: ServerContext): Answer<GetPromptResult>;
}

/** One red pixel: a header of 1 by 1 in RGB, a line without filter, the end. */
const png = Buffer.concat([
  Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
  chunk("IHDR", Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0])),
  chunk("IDAT", deflateSync(Buffer.from([0, 255, 0, 0]))),
  chunk("IEND", Buffer.alloc(0)),
]).toString("base64");

function chunk(kind: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

/** Two samples of silence. */
const wav = Buffer.concat([
  Buffer.from("RIFF\x28\0\0\0WAVEfmt \x10\0\0\0", "latin1"),
  Buffer.from([1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x80, 0x3e, 0, 0, 2, 0, 16, 0]),
  Buffer.from("data\x04\0\0\0\0\0\0\0", "latin1"),
]).toString("base64");

const text = (words: string): ContentBlock => ({ type: "text", text: words });
const image: ContentBlock = { type: "image", data: png, mimeType: "image/png" };
const embedded = (uri: string, mimeType: string, words: string): ContentBlock => ({
  type: "resource",
  resource: { uri, mimeType, text: words },
});

const nothing = { type: "object" as const };

function tool(description: string, call: ToolFixture["call"], inputSchema: Tool["inputSchema"] = nothing) {
  return { description, call, inputSchema };
}

/** A tool that answers with the same content each time. */
function fixed(description: string, ...content: ContentBlock[]): ToolFixture {
  return tool(description, () => ({ content }));
}

/** A tool of the 2026 era that asks before it answers. */
function asks(rounds: readonly Round[], said: string, { state = false } = {}): ToolFixture {
  return tool(
    `Asks the client ${rounds.length > 1 ? "several times " : ""}before it answers`,
    async (_, context) =>
      (await stillToAsk(rounds, context, { state })) ?? {
        content: [text(`${said} ${JSON.stringify(context.mcpReq.inputResponses ?? {})}`)],
      },
  );
}

/** A tool of the 2025 era that asks the person at the client while it is called. */
function elicits(description: string, requestedSchema: object, message = "Please fill this in"): ToolFixture {
  return tool(description, async (given, context) => {
    const params = { message: String(given.message ?? message), requestedSchema };
    // Not the SDK's `elicitInput`, which checks the answer with the validator that the product's servers do not have.
    const { action, content } = await context.mcpReq.send({ method: "elicitation/create", params });
    return {
      content: [text(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`)],
    };
  });
}

const titled = (...titles: string[]) => titles.map((title, i) => ({ const: `value${i + 1}`, title }));
const options = ["option1", "option2", "option3"];

/** The tools that the scenarios call. Those that answer with plain words go the product's own way; see overlay.ts. */
export const toolFixtures: Readonly<Record<string, ToolFixture>> = {
  test_image_content: fixed("Answers with an image", image),
  test_audio_content: fixed("Answers with a sound", { type: "audio", data: wav, mimeType: "audio/wav" }),
  test_embedded_resource: fixed(
    "Answers with a resource",
    embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."),
  ),
  test_multiple_content_types: fixed(
    "Answers with a text, an image and a resource",
    text("Multiple content types test:"),
    image,
    embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
  ),
  test_tool_with_logging: tool("Logs while it works", async (_, { mcpReq }) => {
    for (const line of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await mcpReq.log("info", line);
      await pause(50);
    }
    return { content: [text("logged three lines")] };
  }),
  test_logging_tool: tool("Logs to a client that asked for it", async (_, { mcpReq }) => {
    await mcpReq.log("info", "for clients that set a level");
    return { content: [text("logged one line")] };
  }),
  test_tool_with_progress: tool("Tells how far it is", async (_, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined)
        await mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken, progress, total: 100 },
        });
      await pause(50);
    }
    return { content: [text("went to 100")] };
  }),
  test_reconnection: tool("Lets its stream go before it answers", async (_, { http }) => {
    http?.closeSSE?.();
    await pause(100);
    return { content: [text("answered after the stream was let go")] };
  }),
  test_sampling: tool(
    "Asks the client's model",
    async ({ prompt }, { mcpReq }) => {
      const { content } = await mcpReq.requestSampling({
        messages: [{ role: "user", content: { type: "text", text: String(prompt) } }],
        maxTokens: 100,
      });
      return { content: [text(`LLM response: ${JSON.stringify(content)}`)] };
    },
    { type: "object", properties: { prompt: { type: "string" } }, required: ["prompt"] },
  ),
  test_elicitation: {
    ...elicits("Asks for two texts", {
      type: "object",
      properties: {
        username: { type: "string", description: "User's response" },
        email: { type: "string", description: "User's email address" },
      },
      required: ["username", "email"],
    }),
    inputSchema: { type: "object", properties: { message: { type: "string" } }, required: ["message"] },
  },
  test_elicitation_sep1034_defaults: elicits("Asks with a default for each kind of value", {
    type: "object",
    properties: {
      name: { type: "string", default: "John Doe" },
      age: { type: "integer", default: 30 },
      score: { type: "number", default: 95.5 },
      status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
      verified: { type: "boolean", default: true },
    },
    required: [],
  }),
  test_elicitation_sep1330_enums: elicits("Asks with each kind of choice", {
    type: "object",
    properties: {
      untitledSingle: { type: "string", enum: options },
      titledSingle: { type: "string", oneOf: titled("First Option", "Second Option", "Third Option") },
      legacyEnum: {
        type: "string",
        enum: ["opt1", "opt2", "opt3"],
        enumNames: ["Option One", "Option Two", "Option Three"],
      },
      untitledMulti: { type: "array", items: { type: "string", enum: options } },
      titledMulti: {
        type: "array",
        items: { anyOf: titled("First Choice", "Second Choice", "Third Choice") },
      },
    },
    required: [],
  }),
  test_missing_capability: asks([{ answer: askModel("Say pong.") }], "the model said"),
  test_streaming_elicitation: asks([{ user_name: ask("What is your name?", "name") }], "asked on no stream:"),
  test_input_required_result_elicitation: asks([{ user_name: ask("What is your name?", "name") }], "Hello,"),
  test_input_required_result_sampling: asks(
    [{ capital_question: askModel("What is the capital of France?") }],
    "the model said",
  ),
  test_input_required_result_list_roots: asks([{ client_roots: inputRequired.listRoots() }], "the roots are"),
  test_input_required_result_request_state: asks([{ confirm: confirm("Please confirm") }], "state-ok", {
    state: true,
  }),
  test_input_required_result_tampered_state: asks([{ confirm: confirm("Please confirm") }], "state-ok", {
    state: true,
  }),
  test_input_required_result_multiple_inputs: asks(
    [
      {
        user_name: ask("What is your name?", "name"),
        greeting: askModel("Generate a greeting"),
        client_roots: inputRequired.listRoots(),
      },
    ],
    "all three came:",
    { state: true },
  ),
  test_input_required_result_multi_round: asks(
    [
      { step1: ask("Step 1: What is your name?", "name") },
      { step2: ask("Step 2: What is your favorite color?", "color") },
    ],
    "both rounds came:",
    { state: true },
  ),
  test_input_required_result_capabilities: tool("Asks for what the client can answer", (_, { mcpReq }) => {
    const can = (mcpReq.envelope as Envelope | undefined)?.[CLIENT_CAPABILITIES_META_KEY] ?? {};
    return inputRequired({
      inputRequests: {
        ...(can.elicitation && { user_name: ask("What is your name?", "name") }),
        ...(can.sampling && { greeting: askModel("Generate a greeting") }),
      },
    });
  }),
  json_schema_2020_12_tool: tool("Has a schema of many words", () => ({ content: [text("done")] }), {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: {
      address: {
        $anchor: "addressDef",
        type: "object",
        properties: { street: { type: "string" }, city: { type: "string" } },
      },
    },
    properties: {
      name: { type: "string" },
      address: { $ref: "#/$defs/address" },
      contactMethod: { type: "string", enum: ["phone", "email"] },
      phone: { type: "string" },
      email: { type: "string" },
    },
    allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
    if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
    // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema
    then: { required: ["phone"] },
    else: { required: ["email"] },
    additionalProperties: false,
  }),
};

const saying = (...contents: ContentBlock[]): GetPromptResult => ({
  messages: contents.map((content) => ({ role: "user", content })),
});

const needed = (name: string, description: string) => ({ name, description, required: true });

export const promptFixtures: Readonly<Record<string, PromptFixture>> = {
  test_simple_prompt: {
    description: "Takes nothing",
    get: () => saying(text("This is a simple prompt for testing.")),
  },
  test_prompt_with_arguments: {
    description: "Takes two texts",
    arguments: [needed("arg1", "First test argument"), needed("arg2", "Second test argument")],
    get: ({ arg1, arg2 }) => saying(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  },
  test_prompt_with_embedded_resource: {
    description: "Holds a resource",
    arguments: [needed("resourceUri", "URI of the resource to embed")],
    get: ({ resourceUri }) =>
      saying(
        embedded(String(resourceUri), "text/plain", "Embedded resource content for testing."),
        text("Please process the embedded resource above."),
      ),
  },
  test_prompt_with_image: {
    description: "Holds an image",
    get: () => saying(image, text("Please analyze the image above.")),
  },
  test_input_required_result_prompt: {
    description: "Asks the client before it answers",
    get: async (_, context) =>
      (await stillToAsk([{ user_context: ask("What context should the prompt use?", "context") }], context, {
        state: false,
      })) ?? saying(text(`Use this context: ${JSON.stringify(context.mcpReq.inputResponses)}`)),
  },
};

export const resourceFixtures: readonly Resource[] = [
  { uri: "test://static-text", name: "static-text", description: "A text", mimeType: "text/plain" },
  { uri: "test://static-binary", name: "static-binary", description: "An image", mimeType: "image/png" },
  {
    uri: "test://watched-resource",
    name: "watched-resource",
    description: "Can be subscribed to",
    mimeType: "text/plain",
  },
];

export const templateFixtures: readonly ResourceTemplateType[] = [
  {
    uriTemplate: "test://template/{id}/data",
    name: "template",
    description: "One for each id",
    mimeType: "application/json",
  },
];

/** Undefined for a URI that is not one of the fixtures. */
export function readFixture(uri: string): ReadResourceResult | undefined {
  const contents = (mimeType: string, content: { text: string } | { blob: string }) => ({
    contents: [{ uri, mimeType, ...content }],
  });
  if (uri === "test://static-text")
    return contents("text/plain", { text: "This is the content of the static text resource." });
  if (uri === "test://static-binary") return contents("image/png", { blob: png });
  if (uri === "test://watched-resource") return contents("text/plain", { text: "Watched resource content" });
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  if (id === undefined) return undefined;
  return contents("application/json", {
    text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
  });
}
