import { z } from "zod";

type Json = { [key: string]: Json } | Json[] | string | number | boolean | null;

/** What no model needs to make a call, and what several model APIs refuse or charge for. Our own check has it all. */
const dropped = new Set([
  "$schema",
  "additionalProperties",
  "propertyNames",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "minimum",
  "pattern",
  "format",
]);

/**
 * The JSON schema of a tool's arguments as clients get it: flat, without unions and references, every list a plain
 * array although a bare string is accepted.
 */
export function inputSchema(input: z.ZodObject): { type: "object"; [key: string]: unknown } {
  // The output side of a schema that also accepts a bare string is the array that we want to show.
  return plain(z.toJSONSchema(input, { io: "output" }) as Json) as { type: "object" };
}

function plain(value: Json): Json {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const kept: { [key: string]: Json } = {};
  for (const [key, inner] of Object.entries(value)) {
    if (key === "properties" && inner !== null && typeof inner === "object" && !Array.isArray(inner))
      kept[key] = Object.fromEntries(Object.entries(inner).map(([name, schema]) => [name, plain(schema)]));
    // What no number of JSON can exceed anyway.
    else if (key === "maximum" && inner === Number.MAX_SAFE_INTEGER) continue;
    else if (!dropped.has(key)) kept[key] = plain(inner);
  }
  return kept;
}

/**
 * The schema of a structured answer. Nothing in it is required, because a refusal is told in the same place and some
 * clients hold refusals to the schema too.
 */
export function outputSchema(output: z.ZodObject): { type: "object"; [key: string]: unknown } {
  const schema = z.toJSONSchema(output, { io: "output" }) as { [key: string]: Json };
  delete schema.$schema;
  delete schema.required;
  delete schema.additionalProperties;
  const error = {
    type: "object",
    description: "Set when the call was refused",
    properties: {
      code: { type: "string" },
      kind: { type: "string" },
      message: { type: "string" },
      retryable: { type: "boolean" },
    },
    required: ["code", "kind", "message", "retryable"],
  };
  return { ...schema, type: "object", properties: { ...(schema.properties as object), error } };
}
