import { z } from "zod";
import {
  AcquireLock,
  type HeldLease,
  type Holder,
  type LockAnswer,
  shownResource,
  shownResources,
} from "../../locks/index.js";
import { defineTool, type Telling } from "../define-tool.js";
import { freeOwnHook } from "../free-own-hook.js";

const own = z.literal("another run").exactOptional();

export const acquireLock = defineTool({
  name: "acquire_lock",
  title: "Reserve what you change",
  description:
    "Reserve what you are about to change, so that others keep off it: all of the resources or none. Queued means not yours yet: call again with the ticket, it keeps your place. Release it when you are done.",
  input: AcquireLock,
  output: z.object({
    state: z.enum(["granted", "already_held", "renewed", "queued"]),
    lock_id: z.string().exactOptional(),
    token: z.number().exactOptional(),
    expires_at: z.string().exactOptional(),
    ticket: z.string().exactOptional(),
    place: z.number().exactOptional(),
    holders: z
      .array(
        z.object({
          agent: z.string(),
          mode: z.enum(["exclusive", "shared"]),
          state: z.enum(["held", "offered", "resting"]),
          resource: z.string(),
          own,
          lock_id: z.string().exactOptional(),
          until: z.string(),
        }),
      )
      .exactOptional(),
    before: z.array(z.object({ agent: z.string(), own })).exactOptional(),
    awaits_you: z.string().exactOptional(),
    own_edit_hook: z.boolean().exactOptional(),
    circle: z.string().exactOptional(),
    leases: z
      .array(
        z.object({
          lock_id: z.string(),
          token: z.number(),
          expires_at: z.string(),
          resources: z.array(z.string()),
          covers: z.array(z.string()),
        }),
      )
      .exactOptional(),
    older: z.array(z.object({ lock_id: z.string(), resources: z.array(z.string()) })).exactOptional(),
    timed_out: z.boolean().exactOptional(),
    waited_seconds: z.number().exactOptional(),
    resources: z.array(z.string()),
  }),
  needs: ["lock.acquire"],
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, locks, signal, draining, onWaiting, tells }) =>
    locks.acquireLock(caller, input, {
      ...{ signal: signal(), onWaiting, tells },
      ...(draining && { over: draining }),
    }),
  say: tell,
});

const words = { granted: "yours", already_held: "already yours", renewed: "renewed" } as const;
const mostHolders = 5;

function tell(answer: LockAnswer, { input }: Telling<AcquireLock>): string {
  if (answer.state !== "queued") return [...held(answer), ...(answer.older ?? []).map(newer)].join("\n");
  const holders = answer.holders ?? [];
  const more = holders.length - mostHolders;
  return [
    `not yours yet${answer.waited_seconds ? ` after ${answer.waited_seconds} s` : ""}: place ${answer.place}, ticket ${answer.ticket}`,
    ...holders.slice(0, mostHolders).map(standing),
    more > 0 ? `and ${more} more` : "",
    holders.length === 0 ? earlier(answer) : "",
    answer.circle === undefined ? "" : `this wait may never end: ${answer.circle}. ${remedy(answer)}`,
    `call acquire_lock with this ticket and wait_seconds up to 50, or release_lock to leave${input.ticket === undefined ? ` the queue for ${shownResources(answer.resources)}` : ""}`,
  ]
    .filter(Boolean)
    .join("\n");
}

function remedy({ awaits_you, own_edit_hook }: LockAnswer): string {
  if (own_edit_hook) return `Before you wait, ${freeOwnHook}`;
  return `${awaits_you ? `Give ${awaits_you} what it waits for` : "Release what you hold"} before you wait`;
}

function held(answer: LockAnswer): readonly string[] {
  const { state, expires_at, lock_id, token, leases = [], own_edit_hook } = answer;
  if (leases.length > 1) return [`already yours, under ${leases.length} locks:`, ...leases.map(part)];
  const [wider] = leases;
  return [
    `${words[state as keyof typeof words]} until ${expires_at}: ${shownResources(wider?.covers ?? answer.resources)}, lock_id ${lock_id}, token ${token}`,
    ...(own_edit_hook ? ["it stays your edit hook's, which gives it back when the turn ends"] : []),
    ...(wider ? [`this lock covers ${shownResources(wider.resources)}; releasing it frees all of that`] : []),
  ];
}

function part({ covers, expires_at, lock_id, token, resources }: HeldLease): string {
  const more = resources.some((one) => !covers.includes(one))
    ? `, which covers ${shownResources(resources)}`
    : "";
  return `${shownResources(covers)} until ${expires_at}: lock_id ${lock_id}, token ${token}${more}`;
}

function newer({ lock_id, resources }: NonNullable<LockAnswer["older"]>[number]): string {
  return `you held ${shownResources(resources)} under ${lock_id} already: write to it with this newer token from now on, and when you release this lock release that one too before you write there again`;
}

/** Who is served first, where nobody holds anything of it. */
function earlier({ before = [] }: LockAnswer): string {
  const names = [...new Set(before.map(({ agent, own }) => (own ? "another run of yours" : agent)))];
  return names.length > 0 ? `before you in line: ${names.join(", ")}` : "";
}

function standing({ agent, own, lock_id, mode, state, resource, until }: Holder): string {
  const shared = mode === "shared" ? ", shared" : "";
  if (own)
    return `${shownResource(resource)}: ${state === "offered" ? "offered to" : "held by"} another run of yours until ${until}${shared}; acquire_lock with lock_id ${lock_id} makes it this run's`;
  if (state === "offered")
    return `${shownResource(resource)}: ${agent}'s turn until ${until} at the latest${shared}`;
  if (state === "resting") return `${shownResource(resource)}: rests until ${until}, ${agent} lost it`;
  return `${shownResource(resource)}: held by ${agent} until ${until}${shared}`;
}
