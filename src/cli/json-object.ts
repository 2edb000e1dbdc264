import { UsageError } from "./usage-error.js";

/** A JSON object that somebody typed after a switch. */
export function jsonObject(name: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read === "object" && read !== null && !Array.isArray(read))
      return read as Readonly<Record<string, unknown>>;
  } catch {
    // Said below.
  }
  throw new UsageError(`${name} is a JSON object, such as '{"risk":"high"}'`);
}
