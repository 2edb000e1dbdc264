import { catalogue, type ErrorCode, type FactsOf } from "./catalogue.js";
import type { ErrorKind } from "./kinds.js";

interface Cause {
  readonly cause?: unknown;
}

/** After a code come the facts of its text, which may be left out where it has none, and what caused it. */
type Telling<Code extends ErrorCode> =
  FactsOf<Code> extends Readonly<Record<string, never>>
    ? [facts?: FactsOf<Code>, options?: Cause]
    : [facts: FactsOf<Code>, options?: Cause];

/** Values that go into the text of a refusal: our own words, numbers and validated identifiers, never foreign text. */
export type Facts = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/**
 * A refusal the caller can act on. Its message begins with the code and names the remedy; anything else that is
 * thrown is a bug and is shown to the caller as `internal` with an id.
 */
export class MailboxError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code;
  readonly kind: ErrorKind;
  readonly facts: Facts;

  constructor(code: Code, ...[facts = {} as FactsOf<Code>, options]: Telling<Code>) {
    const entry = catalogue[code];
    super(`${code}: ${fill(entry.text, facts)}`, options);
    this.name = "MailboxError";
    this.code = code;
    this.kind = entry.kind;
    this.facts = facts;
  }
}

export function refuse<Code extends ErrorCode>(code: Code, ...telling: Telling<Code>): never {
  throw new MailboxError(code, ...telling);
}

export function isRefusal(error: unknown, code?: ErrorCode): error is MailboxError {
  return error instanceof MailboxError && (code === undefined || error.code === code);
}

function fill(text: string, facts: Facts): string {
  return text.replace(/\{(\w+)\}(\.?)/g, (_, name: string, stop: string) => {
    const value = facts[name];
    if (value === undefined) throw new Error(`the error text lacks its fact "${name}"`);
    const told = Array.isArray(value) ? value.join(", ") : String(value);
    // A fact that ends as a question needs no full stop.
    return told.endsWith("?") ? told : told + stop;
  });
}
