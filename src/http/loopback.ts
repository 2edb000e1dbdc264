import { isIPv4 } from "node:net";

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return name === "localhost" || name === "::1" || (isIPv4(name) && name.startsWith("127."));
}

/**
 * Whether a request was addressed to this machine by a name that only this machine has, or by one the operator allows. A
 * page in a browser can have its own name point here (DNS rebinding); then this header carries that name.
 */
export function isAllowedHost(
  header: string | undefined,
  bound: string,
  allowed: readonly string[] = [],
): boolean {
  // Nothing that a URL would take for something else than a name and a port.
  const name = /^[\w.:[\]-]+$/.test(header ?? "") ? hostname(`http://${header}`) : undefined;
  if (name === undefined) return false;
  return isLoopback(name) || [bound, ...allowed].some((one) => withoutBrackets(one.toLowerCase()) === name);
}

/** Programs send no Origin; a browser does, and then it must be a page of this machine or one the operator allows. */
export function isAllowedOrigin(header: string | undefined, allowed: readonly string[] = []): boolean {
  if (header === undefined) return true;
  const name = hostname(header);
  if (name === undefined) return false;
  return isLoopback(name) || allowed.some((one) => one.toLowerCase() === header.toLowerCase());
}

/** A browser says where a form came from: it must be a page of this very server. Programs, and who follows a link, say nothing. */
export function isOwnOrigin(
  header: string | undefined,
  host: string | undefined,
  publicUrl: string | undefined,
): boolean {
  if (header === undefined) return true;
  const own = [`http://${host}`, `https://${host}`, ...(publicUrl ? [new URL(publicUrl).origin] : [])];
  return own.some((one) => one.toLowerCase() === header.toLowerCase());
}

function hostname(url: string): string | undefined {
  try {
    const { hostname: name, protocol } = new URL(url);
    if (protocol !== "http:" && protocol !== "https:") return undefined;
    return withoutBrackets(name) || undefined;
  } catch {
    return undefined;
  }
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, "");
}
