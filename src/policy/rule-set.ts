import { z } from "zod";
import { nearest, parseAddress } from "../addresses/index.js";
import { isRefusal } from "../errors/index.js";
import { leavesAnyDepth } from "./canonical-resource.js";
import { effects } from "./decision.js";
import { invalid } from "./invalid.js";
import { type LinedDocument, type Path, readLined } from "./lined-document.js";
import { ownWords } from "./own-words.js";
import type { Steps } from "./steps.js";

export const maxRuleSetBytes = 256 * 1024;
export const maxRules = 2_000;

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** An object that knows its fields: another one is an error that names the nearest. */
function fields<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys" ? unknownField(issue.keys[0]!, Object.keys(shape)) : undefined,
  });
}

const duration = z
  .string()
  .regex(/^[1-9]\d{0,5}[smhd]$/, "a length of time is written as 90s, 15m, 1h or 7d")
  .transform((text) => Number(text.slice(0, -1)) * unitMs[text.at(-1) as keyof typeof unitMs])
  .refine((ms) => ms <= 366 * unitMs.d, "a length of time is at most 366d");

const id = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,63}$/,
    "an id has 1 to 64 of the characters a-z 0-9 . _ - and begins with a letter or digit",
  );
const counterName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,39}$/, "a counter's name has the characters a-z 0-9 _ and begins with a letter")
  // By this name the evaluation knows the class of a value.
  .refine((name) => name !== "constructor", "no counter is called constructor");

/** Levels with dots between them, each a name, `*` or `**`. */
const actionPattern = z
  .string()
  .max(128, "an action has at most 128 characters")
  .transform((text) => text.trim().toLowerCase())
  .refine(
    (text) => /^(?:[a-z0-9_@:/+-]+|\*\*?)(?:\.(?:[a-z0-9_@:/+-]+|\*\*?))*$/.test(text),
    "an action is names with dots between them, as file.delete, where * stands for one level and ** for any number",
  );
const actionName = actionPattern.refine((text) => !text.includes("*"), "an action here has no wildcard");
const resourcePattern = z
  .string()
  .min(1, "a resource is not empty")
  .max(256, "a resource has at most 256 characters")
  .refine((text) => !leavesAnyDepth(text), "what .. leaves in a resource must not be **");

const actionPatterns = z.array(actionPattern).min(1, "at least one action").max(200, "at most 200 actions");
const exceptPatterns = z.array(actionPattern).max(200, "at most 200 actions");
const words = z.string().trim().min(1, "it is empty").max(500, "at most 500 characters");
/** What we do ourselves is written so that we can; all else is for the agent. */
const obligation = words.refine(
  (text) => !/^notify(?![\w-])/i.test(text) || isNotice(text),
  "what begins with notify is ours to do, and written as notify ADDRESS, such as notify topic:security; what the agent has to do begins otherwise",
);
const condition = z
  .union([z.string().min(1, "a condition is not empty"), z.boolean().transform(String)], {
    error: "a condition is a text",
  })
  .pipe(z.string().max(2_000, "a condition has at most 2,000 characters"));
const per = z.enum(["agent", "team", "namespace"]);
const approver = z
  .string()
  .regex(
    /^(?:role:[a-z]+|[a-z0-9][a-z0-9._-]{0,62})$/,
    "an approver is an agent or a role, as role:approver",
  );

const approval = fields({
  expires: duration.optional(),
  otherwise: z.enum(["deny", "allow"]).optional(),
  quorum: z.int().min(1).max(10).optional(),
  approvers: z.array(approver).min(1, "at least one approver").max(50, "at most 50 approvers").optional(),
  escalate: fields({
    after: duration,
    to: z.array(approver).min(1, "at least one approver").max(50),
  }).optional(),
  client: z.boolean().optional(),
});

const rule = fields({
  id,
  actions: actionPatterns,
  except: exceptPatterns.optional(),
  resources: z
    .array(resourcePattern)
    .min(1, "at least one resource")
    .max(200, "at most 200 resources")
    .optional(),
  when: condition.optional(),
  effect: z.enum(effects),
  partly: z.literal("require_approval", { error: "partly is require_approval, or left out" }).optional(),
  priority: z.int().min(-1_000_000).max(1_000_000).default(0),
  shadow: z.boolean().default(false),
  reason: words.optional(),
  guidance: words.optional(),
  obligations: z.array(obligation).max(20, "at most 20 obligations").default([]),
  approval: approval.optional(),
}).refine(({ effect, partly }) => partly === undefined || effect !== "allow", {
  path: ["partly"],
  error: "what allows means all that it speaks of; partly is said of what denies",
});

const limit = fields({
  id,
  of: z.enum(["cost", "calls"]),
  actions: actionPatterns,
  except: exceptPatterns.optional(),
  per,
  when: condition.optional(),
  most: z.number().min(0).max(1_000_000_000),
  window: duration,
  effect: z.enum(["deny", "require_approval"]).default("deny"),
  unsettled: z.enum(["release", "charge"]).default("release"),
  reason: words.optional(),
  guidance: words.optional(),
  shadow: z.boolean().default(false),
});

const counter = fields({
  actions: actionPatterns,
  except: exceptPatterns.optional(),
  per,
  same: z.boolean().default(false),
  window: duration,
});

const texts = z.array(z.string().max(256)).max(1_000);
const test = fields({
  agent: fields({
    name: z.string().max(63).optional(),
    role: z.string().max(63).optional(),
    roles: z.array(z.enum(["admin", "agent", "observer", "approver"])).optional(),
    team: z.string().max(63).optional(),
    labels: z.record(z.string(), z.string()).optional(),
    verified: z.boolean().optional(),
  }).optional(),
  action: z.string().max(256),
  resource: z.string().max(1_024).optional(),
  context: z.record(z.string(), z.unknown()).optional(),
  counts: z.record(z.string(), z.int().min(0)).optional(),
  reads: fields({ unverified: texts.optional(), foreign: texts.optional() }).optional(),
  now: z.iso.datetime({ error: "a time is written as 2026-01-31T09:00:00Z" }).optional(),
  expect: z.enum(effects),
  rules: z.array(id).optional(),
});

const ruleSet = fields({
  version: z.literal(1, { error: "the version of the format is 1" }),
  profile: z.enum(["open", "standard", "strict"]).optional(),
  remove: z.array(z.string()).max(maxRules).default([]),
  otherwise: z.enum(effects).optional(),
  unknown: z.enum(effects).optional(),
  vocabulary: z
    .record(actionName, z.array(z.string().trim().min(1, "it is empty").max(64)).max(50))
    .default({}),
  counters: z.record(counterName, counter).default({}),
  limits: z.array(limit).max(maxRules, `at most ${maxRules} limits`).default([]),
  rules: z.array(rule).max(maxRules, `at most ${maxRules} rules`).default([]),
  tests: z.array(test).max(maxRules, `at most ${maxRules} tests`).default([]),
});

const entries: Readonly<Record<string, z.ZodType>> = { limits: limit, rules: rule, tests: test };

export type RuleSet = z.infer<typeof ruleSet>;
export type RuleEntry = RuleSet["rules"][number];
export type LimitEntry = RuleSet["limits"][number];
export type CounterEntry = RuleSet["counters"][string];
export type TestEntry = RuleSet["tests"][number];
export type ApprovalEntry = NonNullable<RuleEntry["approval"]>;

export interface ReadRuleSet {
  readonly set: RuleSet;
  readonly document: LinedDocument;
}

/**
 * Reads the format, without what it means: conditions are texts still.
 *
 * @throws {MailboxError} `policy.invalid` with the first line that is wrong
 */
export function* readRuleSet(text: string): Steps<ReadRuleSet> {
  if (Buffer.byteLength(text) > maxRuleSetBytes)
    invalid(1, `a rule set has at most ${maxRuleSetBytes / 1024} KiB`);
  const document = yield* readLined(text);
  if (document.value === null) invalid(1, "it is empty; a rule set begins with version: 1");
  const { set, issues } = yield* checked(document.value);
  if (issues.length === 0) return { set: set!, document };
  const [first] = issues
    .map((issue) => ({ line: lineOf(issue, document), ...inWords(issue, document) }))
    // A field with a slip in its name is also one that is missing: the slip is what helps.
    .sort((one, other) => Number(one.missing) - Number(other.missing) || one.line - other.line);
  invalid(first!.line, first!.problem);
}

/** Checks entry by entry what there may be many of. */
function* checked(
  value: unknown,
): Steps<{ readonly set: RuleSet | undefined; readonly issues: readonly z.core.$ZodIssue[] }> {
  const given = value as Readonly<Record<string, unknown>> | null;
  const lists = Object.entries(entries).filter(([name]) => Array.isArray(given?.[name]));
  const short = lists.filter(([name]) => (given![name] as readonly unknown[]).length <= maxRules);
  const none = Object.fromEntries(short.map(([name]) => [name, []]));
  const read = ruleSet.safeParse(
    short.length === 0 ? value : Object.assign(Object.create(null), given, none),
    { error: ownWords },
  );
  const issues = [...(read.error?.issues ?? [])];
  const whole: Record<string, unknown[]> = {};
  for (const [name, entry] of short) {
    whole[name] = [];
    for (const [n, one] of (given![name] as readonly unknown[]).entries()) {
      yield;
      const { data, error } = entry.safeParse(one, { error: ownWords });
      whole[name].push(data);
      for (const issue of error?.issues ?? []) issues.push({ ...issue, path: [name, n, ...issue.path] });
    }
  }
  return { set: read.data && ({ ...read.data, ...whole } as RuleSet), issues };
}

function lineOf(issue: z.core.$ZodIssue, document: LinedDocument): number {
  const path: Path = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0]!] : issue.path;
  return document.lineOf(path);
}

function inWords(
  issue: z.core.$ZodIssue,
  document: LinedDocument,
): { readonly problem: string; readonly missing: boolean } {
  if (issue.code === "unrecognized_keys") return { problem: issue.message, missing: false };
  const missing = !document.has(issue.path);
  // What is wrong with the name of an entry is said of the name.
  const inner = issue.code === "invalid_key" ? issue.issues[0] : undefined;
  const message = missing ? "it is missing" : (inner ?? issue).message;
  const at = issue.path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  return { problem: at ? `${at.replace(/^\./, "")}: ${message}` : message, missing };
}

function isNotice(text: string): boolean {
  const [, to] = /^notify (\S+)$/.exec(text) ?? [];
  if (to === undefined) return false;
  try {
    parseAddress(to);
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}

/** Says which field is not known, and which was perhaps meant. */
export function unknownField(given: string, known: readonly string[]): string {
  const meant = nearest(given, known);
  return `there is no field "${given}"${meant ? `; the nearest is "${meant}"` : ` (there are ${known.join(", ")})`}`;
}
