import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { approvalKeyList, approvalKeys, loadScript } from "../redis/index.js";
import type { ApprovalContext } from "./context.js";

const linkKey = loadScript(import.meta.url, "link-key.lua");

/** What a link says: which request, who decides it, until when, and what makes it one of its kind. */
export interface LinkToken {
  readonly id: string;
  readonly agent: string;
  readonly expiresAt: number;
  readonly nonce: string;
}

/** Only names and numbers are in it, so it needs no escaping anywhere. */
const form = /^(ap-[0-9a-z]{12})~([a-z0-9][a-z0-9._-]{0,62})~([0-9a-z]{1,11})~([\w-]{22})~([\w-]{43})$/;

export async function signLink(
  context: ApprovalContext,
  namespace: string,
  { id, agent, expiresAt }: Omit<LinkToken, "nonce">,
): Promise<{ readonly token: string; readonly nonce: string }> {
  const nonce = randomBytes(16).toString("base64url");
  const text = [id, agent, expiresAt.toString(36), nonce].join("~");
  return { token: `${text}~${macOf(await keyOf(context, namespace), namespace, text)}`, nonce };
}

/** What a token says, where it is one that was signed here for this namespace; whether it still holds is asked elsewhere. */
export async function parseLink(
  context: ApprovalContext,
  namespace: string,
  token: string,
): Promise<LinkToken | undefined> {
  const [, id, agent, expires, nonce, mac] = form.exec(token) ?? [];
  if (mac === undefined) return undefined;
  const wanted = macOf(await keyOf(context, namespace), namespace, token.slice(0, -1 - mac.length));
  if (!timingSafeEqual(Buffer.from(mac), Buffer.from(wanted))) return undefined;
  return { id: id!, agent: agent!, expiresAt: Number.parseInt(expires!, 36), nonce: nonce! };
}

function macOf(key: string, namespace: string, text: string): string {
  return createHmac("sha256", key).update(`approval link\n${namespace}\n${text}`).digest("base64url");
}

/** It is kept in the store: the command that makes a link and the server that takes it may be far from each other. */
async function keyOf(context: ApprovalContext, namespace: string): Promise<string> {
  const known = context.linkKeys.get(namespace);
  if (known !== undefined) return known;
  const keys = approvalKeyList(approvalKeys(namespace));
  const [, key] = await context.deps.store.run(linkKey, keys, [randomBytes(32).toString("base64url")]);
  context.linkKeys.set(namespace, String(key));
  return String(key);
}
