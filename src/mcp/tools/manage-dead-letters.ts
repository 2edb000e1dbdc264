import { z } from "zod";
import { type DeadLetters, ManageDeadLetters } from "../../mailbox/index.js";
import { defineTool, type Telling } from "../define-tool.js";
import { onOneLine } from "../message-parts.js";
import { type Part, shown } from "../reply.js";

export const manageDeadLetters = defineTool({
  name: "manage_dead_letters",
  title: "Manage dead letters",
  description: "List messages that were given up, put them back as if newly sent, or remove them for good.",
  input: ManageDeadLetters,
  output: z.object({
    letters: z.array(
      z.object({
        id: z.string(),
        mailbox: z.string(),
        from: z.string(),
        verified: z.boolean(),
        sent_at: z.string(),
        buried_at: z.string(),
        reason: z.string(),
        failures: z.number(),
        said: z.string().exactOptional(),
        subject: z.string().exactOptional(),
        excerpt: z.string(),
      }),
    ),
    more: z.boolean(),
    done: z.number(),
    missing: z.array(z.string()),
  }),
  needs: ["admin.dead-letters"],
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, mail }) => mail.manageDeadLetters(caller, input),
  say: tell,
});

type Letter = DeadLetters["letters"][number];

function tell(answer: DeadLetters, { input, room }: Telling<ManageDeadLetters>): Part[] {
  if (input.action !== "list") return [settled(answer, input.action)];
  if (answer.letters.length === 0) return ["no dead letters"];
  const lines = answer.letters.map((letter, n) => `${n + 1}. ${envelope(letter)}`);
  const more = answer.more ? "more are there; name a mailbox or raise limit" : "";
  const own = [...lines, more]
    .filter(Boolean)
    .join("\n")
    .slice(0, room / 2);
  const each = Math.max(Math.floor((room - own.length - 400) / lines.length) - 8, 20);
  const texts = answer.letters.map((letter, n) => `${n + 1}. ${quoted(letter, each)}`);
  return [own, { by: "their senders and readers", text: texts.join("\n") }];
}

function settled({ done, missing }: DeadLetters, action: "requeue" | "purge"): string {
  const word = action === "requeue" ? "requeued" : "purged";
  const plain = missing.filter((id) => /^[0-9a-z-]{1,40}$/.test(id));
  const unknown = missing.length ? `; no dead letter there: ${plain.join(", ") || "what you named"}` : "";
  return `${done} ${word}${unknown}`;
}

function envelope(letter: Letter): string {
  return [
    `${letter.id} from ${letter.from}${letter.verified ? "" : " (unverified)"} to ${letter.mailbox}`,
    letter.sent_at,
    `given up ${letter.buried_at}: ${letter.reason}`,
    letter.failures > 0 ? `failed ${letter.failures} times` : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

function quoted(letter: Letter, most: number): string {
  const text = [letter.said ? `rejected with: ${letter.said}` : "", letter.subject ?? "", letter.excerpt];
  return onOneLine(shown(onOneLine(text.filter(Boolean).join(" · "), most)), most);
}
