import { refuse } from "../errors/index.js";
import { asciiLower } from "./ascii-lower.js";
import { parseTopic } from "./topic-name.js";
import { visible } from "./visible.js";

/** Where a message can go. `everyone` stands for all agents of the namespace. */
export type Address =
  | { readonly kind: "agent"; readonly name: string }
  | { readonly kind: "queue"; readonly name: string }
  | { readonly kind: "topic"; readonly name: string }
  | { readonly kind: "everyone" };

const simpleName = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** Names that no agent can take, because they mean something else wherever an address is read. */
const reserved = new Set(["everyone", "postmaster", "operator"]);

/** What a namespace may be called: as an agent, the reserved names included. */
export function isNamespace(text: string): boolean {
  return simpleName.test(text);
}

export function isAgentName(text: string): boolean {
  return simpleName.test(text) && !reserved.has(text);
}

/**
 * Parses what a model or a person types, forgiving where only one reading is possible: `@bob`, `Bob`, `#builds.ci`.
 *
 * @throws {MailboxError} `address.invalid` with what is wrong and what is allowed
 */
export function parseAddress(given: string): Address {
  const text = given.trim();
  if (text.length === 0) refuse("address.invalid", { given: quote(given), problem: "it is empty" });
  if (text.length > 300) refuse("address.invalid", { given: quote(given), problem: "it is too long" });
  if (text.startsWith("#")) return { kind: "topic", name: parseTopic(text.slice(1)) };
  const colon = text.indexOf(":");
  if (colon >= 0) {
    const kind = text.slice(0, colon).toLowerCase();
    const rest = text.slice(colon + 1);
    if (kind === "topic") return { kind: "topic", name: parseTopic(rest) };
    if (kind === "queue") return { kind: "queue", name: name(rest, given) };
    if (kind === "agent") return { kind: "agent", name: name(rest, given) };
    refuse("address.invalid", { given: quote(given), problem: "the part before the colon is unknown" });
  }
  const bare = text.startsWith("@") ? text.slice(1) : text;
  if (bare.toLowerCase() === "everyone") return { kind: "everyone" };
  if (bare.includes("@"))
    refuse("address.invalid", { given: quote(given), problem: "other sites are not connected here" });
  return { kind: "agent", name: name(bare, given) };
}

export function formatAddress(address: Address): string {
  if (address.kind === "everyone") return "everyone";
  return address.kind === "agent" ? address.name : `${address.kind}:${address.name}`;
}

function name(text: string, given: string): string {
  // Letters that only become ASCII by folding, such as the Kelvin sign, are look-alikes and stay what they are.
  const lower = asciiLower(text.trim());
  if (reserved.has(lower))
    refuse("address.invalid", { given: quote(given), problem: "the name is reserved" });
  if (!simpleName.test(lower))
    refuse("address.invalid", {
      given: quote(given),
      problem: "a name has 1 to 63 of the characters a-z 0-9 . _ - and begins with a letter or digit",
    });
  return lower;
}

/** What was typed, short and harmless, so that a refusal can say which of several arguments it means. */
function quote(given: string): string {
  const short = given.length > 40 ? `${given.slice(0, 40)}…` : given;
  return JSON.stringify(visible(short.replace(/[^\x20-\x7e…]/gu, "?")));
}
