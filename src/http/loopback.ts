import { isIPv4 } from "node:net";

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return name === "localhost" || name === "::1" || (isIPv4(name) && name.startsWith("127."));
}

/**
 * Whether a request was addressed to this machine by a name that only this machine has. A page in a browser can have
 * its own name point here (DNS rebinding); then this header carries that name.
 */
export function isLocalHost(header: string | undefined, bound: string): boolean {
  // Nothing that a URL would take for something else than a name and a port.
  const name = /^[\w.:[\]-]+$/.test(header ?? "") ? hostname(`http://${header}`) : undefined;
  return name !== undefined && (isLoopback(name) || name === bound.toLowerCase());
}

/** Programs send no Origin; a browser does, and then it must be a page of this machine. */
export function isLocalOrigin(header: string | undefined): boolean {
  if (header === undefined) return true;
  const name = hostname(header);
  return name !== undefined && isLoopback(name);
}

function hostname(url: string): string | undefined {
  try {
    const { hostname: name, protocol } = new URL(url);
    if (protocol !== "http:" && protocol !== "https:") return undefined;
    return name.replace(/^\[|\]$/g, "") || undefined;
  } catch {
    return undefined;
  }
}
