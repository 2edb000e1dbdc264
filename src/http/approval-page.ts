import { createHash } from "node:crypto";
import { visible } from "../addresses/index.js";
import { approvalLines, type Decided, jsonText, type LinkedApproval, voteLines } from "../approvals/index.js";

const style = [
  "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}",
  "pre,textarea{font:14px/1.45 ui-monospace,monospace;background:#f4f4f4;border:1px solid #ccc;padding:.75rem;width:100%;box-sizing:border-box}",
  "pre{white-space:pre-wrap;overflow-wrap:anywhere}",
  "button{font:inherit;padding:.4rem 1rem;margin:.5rem .5rem .5rem 0}",
  "form{margin:1.5rem 0}label{display:block}",
].join("");

/** No script, nothing from elsewhere, in no frame, and only its own form can be sent: what is shown was written by others. */
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** What is to be decided, by whom, and the forms that decide it. Shown as often as somebody looks. */
export function approvalPage({ approval, agent, expires_at }: LinkedApproval, token: string): Response {
  const action = `/a/${escaped(token)}`;
  return page(200, `Approval ${approval.id}`, [
    `<p>You decide as <strong>${escaped(agent)}</strong>, once, until ${escaped(expires_at)}. Nothing is decided before you press a button.</p>`,
    `<pre>${approvalLines(approval).map(escaped).join("\n")}</pre>`,
    ...votes(approval.votes),
    `<form method="post" action="${action}">`,
    '<label>Comment, or the answer <textarea name="comment" rows="3" maxlength="2000"></textarea></label>',
    '<button name="decision" value="approve">Approve</button>',
    '<button name="decision" value="reject">Reject</button>',
    '<button name="decision" value="answer">Answer</button>',
    "</form>",
    `<form method="post" action="${action}">`,
    `<label>Or approve with other arguments, as JSON <textarea name="arguments" rows="8">\n${escaped(jsonToEdit(approval.arguments))}</textarea></label>`,
    '<label>Comment <textarea name="comment" rows="2" maxlength="2000"></textarea></label>',
    '<button name="decision" value="edit">Approve with these arguments</button>',
    "</form>",
  ]);
}

export function decidedPage({ approval, agreeing }: Decided): Response {
  const { id, state, quorum } = approval;
  return page(200, `Approval ${id}`, [
    state === "pending"
      ? `<p>Your vote is kept; ${agreeing} of ${quorum} agree so far.</p>`
      : `<p>It is <strong>${escaped(state)}</strong>.</p>`,
    "<p>This link decides nothing any more.</p>",
  ]);
}

export function refusedPage(status: number, message: string): Response {
  return page(status, "Not decided", [`<p>${escaped(message)}</p>`]);
}

function votes(cast: LinkedApproval["approval"]["votes"]): string[] {
  if (cast.length === 0) return [];
  return ["<p>Votes so far:</p>", `<pre>${cast.flatMap(voteLines).map(escaped).join("\n")}</pre>`];
}

function page(status: number, title: string, body: readonly string[]): Response {
  const text = [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8"><meta name="robots" content="noindex">',
    '<meta name="viewport" content="width=device-width">',
    `<title>${escaped(title)}</title><style>${style}</style></head>`,
    `<body><h1>${escaped(title)}</h1>`,
    ...body,
    "</body></html>",
    "",
  ].join("\n");
  return new Response(text, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy,
      "cache-control": "no-store",
      "x-robots-tag": "noindex, nofollow",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      // The address is a secret to others; to this server the form has to say where it comes from.
      "referrer-policy": "same-origin",
    },
  });
}

/** The same value for whoever parses it, and nothing in it that its editor would not see. */
function jsonToEdit(value: object): string {
  return Array.from(jsonText(value), (character) =>
    visible(character, "\n") === character
      ? character
      : character.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
  ).join("");
}

/** Text as text, wherever it stands; what a reader would not see is made visible. */
function escaped(text: string): string {
  return visible(text, "\n\t").replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
