import { refuse } from "../errors/index.js";

/** More than this is never added exactly; a step that costs it exceeds every limit. */
const most = 9e15;

/** Most that one agent or limit adds up to in a window, in the namespace's currency: up to here sums are exact. */
export const mostSummed = most / 1e6;

/**
 * An amount of the namespace's currency as whole millionths.
 *
 * @throws {MailboxError} `input.invalid` for more than 6 decimals
 */
export function exactMillionths(amount: number, name: string): number {
  const [, whole = "", decimals = ""] = /^(\d{1,10})(?:\.(\d{1,6}))?$/.exec(String(amount)) ?? [];
  if (whole === "") refuse("input.invalid", { problem: `${name} has at most 6 decimals` });
  return Number(whole) * 1e6 + Number(decimals.padEnd(6, "0"));
}

/** The same of an estimate, rounded up. */
export function estimatedMillionths(amount: number): number {
  return Math.min(Math.ceil(Number((amount * 1e6).toFixed(3))), most);
}

export function fromMillionths(millionths: number): number {
  return millionths / 1e6;
}
