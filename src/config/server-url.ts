import { isIPv4 } from "node:net";

/**
 * The address of a server as it is meant: `http://host:7678` stands for its `/mcp`. Undefined for anything that is not
 * http or https, or carries a name and password, which would be shown wherever the address is.
 */
export function serverUrl(text: string): string | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return undefined;
  }
  const isHttp = url.protocol === "http:" || url.protocol === "https:";
  if (!isHttp || url.username !== "" || url.password !== "" || url.hash !== "") return undefined;
  if (url.pathname === "/") url.pathname = "/mcp";
  return url.href;
}

/** Whether what is sent to this address could be read on the way: plain http, and not to this machine. */
export function isReadableOnTheWay(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  const name = hostname.replace(/^\[|\]$/g, "");
  const isHere = name === "localhost" || name === "::1" || (isIPv4(name) && name.startsWith("127."));
  return protocol === "http:" && !isHere;
}
