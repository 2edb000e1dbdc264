import { z } from "zod";
import { roles } from "../identity/index.js";
import { effects } from "./decision.js";

const tried = z.object({ id: z.string(), effect: z.enum(effects) });

const schema = z.object({
  /** ms */
  at: z.number(),
  /** Of the rules by which it was decided; 0 where none were ever put. */
  version: z.number().int().min(0),
  agent: z.object({
    name: z.string(),
    role: z.string(),
    roles: z.array(z.enum(roles)),
    team: z.string(),
    labels: z.record(z.string(), z.string()),
    verified: z.boolean(),
  }),
  action: z.string(),
  resource: z.string(),
  context: z.record(z.string(), z.unknown()),
  counts: z.record(z.string(), z.number()),
  reads: z.object({ unverified: z.array(z.string()), foreign: z.array(z.string()) }),
  effect: z.enum(effects),
  /** The rules that decided. */
  rules: z.array(z.string()),
  /** The limits that were exceeded. */
  limits: z.array(z.string()),
  /** What rules that are only tried out said, and such limits that were exceeded. */
  shadow: z.array(tried).optional(),
  shadowLimits: z.array(tried).optional(),
  /** False where no rule knew the action; it is not decided more freely than by what holds for such. */
  known: z.boolean().optional(),
  /** The approval by which it was allowed. */
  approval: z.string().optional(),
  /** What became of the call of which this is one of several steps; then `effect` is of this step by itself. */
  call: z
    .object({
      effect: z.enum(effects),
      steps: z.number().int(),
      /** Of how many of its steps there is a record, the most restrictive ones first. */
      recorded: z.number().int().optional(),
      /** They are those whom it would reach by a name for all: it counts as one call, and none of them counts. */
      each: z.boolean().optional(),
    })
    .optional(),
  /** A call by its caller's key: made again, it is decided anew, and is there once for counters and limits. */
  once: z.string().optional(),
  /** Of such a call of several wishes, its name and how many it asks about behind this: for rules about counts those are not there. */
  wish: z.object({ call: z.string(), behind: z.number().int() }).optional(),
  /** Whether an agent asked, or one of our tools did on its behalf. */
  via: z.enum(["check", "tool"]),
  /** Its context was too long to be kept and is not whole here, so that it cannot be decided again. */
  cut: z.boolean().optional(),
});

/** What was decided once and by what, so that it can be decided again under other rules. */
export type DecisionRecord = z.infer<typeof schema>;

/** The record as it lies in the list of decisions; undefined for what is none, such as one of a newer program. */
export function parseDecisionRecord(text: string): DecisionRecord | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
