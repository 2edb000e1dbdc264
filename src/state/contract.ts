import { z } from "zod";

export const GetState = z.object({
  key: z.string().max(300).optional().describe("plan/owner"),
  prefix: z.string().max(300).optional().describe("List keys that begin so"),
  cursor: z.string().max(500).optional(),
  offset: z.number().int().min(0).max(99_999_999).optional().describe("Rest of a cut value"),
});
export type GetState = z.infer<typeof GetState>;

export interface StateEntry {
  readonly key: string;
  /** Grows with every change of the key, also when it is deleted, expires and comes back. */
  readonly version: number;
  /** JSON, as it was written. */
  readonly value: string;
  readonly by: string;
  readonly verified: boolean;
  readonly at: string;
  readonly expires_at?: string;
}

export interface StatePage {
  /** The entry of the key that was asked for, or none; or a page in the order of the keys. */
  readonly entries: readonly StateEntry[];
  /** Leads to the next page; without it there is none. */
  readonly cursor?: string;
}

/**
 * A value that came as JSON instead of as its text is taken as well: models write both. Not where it has a number of which
 * digits may be lost already.
 */
const JsonText = z.preprocess((given, context) => {
  if (typeof given === "string" || given === undefined) return given;
  let isInexact = false;
  const look = (_: string, inner: unknown): unknown => {
    isInexact ||= typeof inner === "number" && Math.abs(inner) > Number.MAX_SAFE_INTEGER;
    return inner;
  };
  try {
    const text = JSON.stringify(given, look);
    if (!isInexact) return text;
    context.addIssue({
      code: "custom",
      message: "has a number too large to be exact; write the value as JSON text, in a string",
    });
  } catch {
    context.addIssue({ code: "custom", message: "is nested too deep" });
  }
  return z.NEVER;
}, z.string()) as unknown as z.ZodString;

export const PutState = z.object({
  key: z.string().max(300),
  value: JsonText.optional().describe("JSON, at most 64 KiB; other text becomes a string"),
  expected_version: z.number().int().min(0).optional().describe("Only over this version; 0: only if new"),
  delete: z.boolean().optional(),
  ttl_seconds: z.number().int().min(1).max(31_536_000).optional(),
  resource: z.string().max(600).optional().describe("Only while you hold this lock"),
  fencing_token: z.number().int().min(0).optional(),
  idempotency_key: z.string().min(1).max(200).optional(),
});
export type PutState = z.infer<typeof PutState>;

export interface PutStateResult {
  readonly key: string;
  /** absent: there was nothing to delete · conflict: it is at another version, and nothing was written */
  readonly state: "stored" | "deleted" | "absent" | "conflict";
  readonly version?: number;
  readonly expires_at?: string;
  /** With a conflict: the entry as it is, unless there is none or the caller may not read it. */
  readonly current?: StateEntry;
  /** The same call with the same idempotency key was answered before; this is that answer. */
  readonly replayed: boolean;
}
