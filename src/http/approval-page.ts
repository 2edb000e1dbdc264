import { createHash } from "node:crypto";
import { visible } from "../addresses/index.js";
import {
  approvalLines,
  approvalWarnings,
  type Decided,
  jsonText,
  type LinkedApproval,
  voteLines,
} from "../approvals/index.js";

const style = [
  ":root{color-scheme:light dark;--text:#1a1a1a;--page:#fff;--box:#f4f4f4;--line:#767676}",
  "@media(prefers-color-scheme:dark){:root{--text:#e8e8e8;--page:#161616;--box:#262626;--line:#8c8c8c}}",
  "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:var(--text);background:var(--page)}",
  "h1,p{overflow-wrap:anywhere}",
  "pre,textarea{font:14px/1.45 ui-monospace,monospace;color:inherit;background:var(--box);border:1px solid var(--line);padding:.75rem;width:100%;box-sizing:border-box}",
  "pre{white-space:pre-wrap;overflow-wrap:anywhere}.said{border-left:.4rem solid var(--line);margin-left:1rem;width:auto}",
  "button{font:inherit;padding:.6rem 1rem;margin:.5rem .5rem .5rem 0}",
  "form{margin:1.5rem 0}label{display:block}[role=alert]{border-left:.3rem solid;padding-left:.75rem}",
].join("");

/** No script, nothing from elsewhere, in no frame, and only its own form can be sent: what is shown was written by others. */
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** A form that was sent and decided nothing: why, and what was typed into it. */
export interface NotTaken {
  readonly status: number;
  readonly problem: string;
  readonly comment: string;
  readonly arguments: string | undefined;
}

/**
 * What is to be decided, by whom, and the forms that decide it. Shown as often as somebody looks, and again with what was
 * typed where a form was not taken.
 */
export function approvalPage(
  { approval, agent, expires_at }: LinkedApproval,
  token: string,
  notTaken?: NotTaken,
): Response {
  const action = `/a/${escaped(token)}`;
  const isEdit = notTaken?.arguments !== undefined;
  const typed = (ofEdit: boolean): string => (ofEdit === isEdit ? escaped(notTaken?.comment ?? "") : "");
  return page(notTaken?.status ?? 200, `Approval ${approval.id}`, [
    ...(notTaken ? [`<p role="alert">Nothing was decided. ${escaped(sentence(notTaken.problem))}</p>`] : []),
    `<p>You decide as <strong>${escaped(agent)}</strong>, once, until ${escaped(expires_at)}. Nothing is decided before you press a button.</p>`,
    ...approvalWarnings(approval).map((line) => `<p role="alert">${escaped(line)}</p>`),
    ...blocks(approvalLines(approval)),
    ...votes(approval.votes),
    `<form method="post" action="${action}">`,
    `<label>Comment, or the answer <textarea name="comment" rows="3" maxlength="2000">\n${typed(false)}</textarea></label>`,
    '<button name="decision" value="approve">Approve</button>',
    '<button name="decision" value="reject">Reject</button>',
    '<button name="decision" value="answer">Answer</button>',
    "</form>",
    `<form method="post" action="${action}">`,
    `<label>Or approve with other arguments, as JSON <textarea name="arguments" rows="8">\n${escaped(jsonToEdit(notTaken?.arguments ?? jsonText(approval.arguments)))}</textarea></label>`,
    `<label>Comment <textarea name="comment" rows="2" maxlength="2000">\n${typed(true)}</textarea></label>`,
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
    "<p>This link decides nothing any more; this page can be closed.</p>",
  ]);
}

export function refusedPage(status: number, message: string): Response {
  return page(status, "Nothing was decided", [`<p>${escaped(sentence(message))}</p>`]);
}

/** The words of a refusal for a person, without the code that programs go by. */
function sentence(message: string): string {
  const words = message.replace(/^[a-z]+\.[a-z_]+: /, "");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A long line goes on at the left margin, without the bar that says whose words it has; so those stand in a frame. */
function blocks(lines: readonly string[]): string[] {
  const found: { readonly isSaid: boolean; readonly lines: string[] }[] = [];
  for (const line of lines) {
    const isSaid = line.startsWith("| ");
    if (found.at(-1)?.isSaid !== isSaid) found.push({ isSaid, lines: [] });
    found.at(-1)!.lines.push(line);
  }
  return found.map(
    (one) => `<pre${one.isSaid ? ' class="said"' : ""}>${one.lines.map(escaped).join("\n")}</pre>`,
  );
}

function votes(cast: LinkedApproval["approval"]["votes"]): string[] {
  if (cast.length === 0) return [];
  return ["<p>Votes so far:</p>", ...blocks(cast.flatMap(voteLines))];
}

function page(status: number, title: string, body: readonly string[]): Response {
  const text = [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8"><meta name="robots" content="noindex">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escaped(title)}</title><style>${style}</style></head>`,
    `<body><main><h1>${escaped(title)}</h1>`,
    ...body,
    "</main></body></html>",
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
function jsonToEdit(json: string): string {
  return Array.from(json, (character) =>
    visible(character, "\n") === character
      ? character
      : character.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
  ).join("");
}

/** Text as text, wherever it stands; what a reader would not see is made visible. */
function escaped(text: string): string {
  return visible(text, "\n\t").replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
