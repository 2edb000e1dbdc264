import { hash } from "node:crypto";

/** A row of the chain. Its number is its place; its hash covers the number, the row and the hash before it. */
export interface SealedRow {
  readonly hash: string;
  /** What the hash covers: number in its slot, slot and row. */
  readonly text: string;
}

/** What the first row of a namespace is linked to. */
export function genesis(namespace: string): string {
  return hash("sha256", `llm-mailbox audit\n${namespace}`, "base64url");
}

export function link(previous: string, number: number, text: string): string {
  return hash("sha256", `${previous}\n${number}\n${text}`, "base64url");
}

export function writeSealed({ hash: own, text }: SealedRow): string {
  return `${own}|${text}`;
}

export function parseSealed(entry: string): SealedRow {
  const at = entry.indexOf("|");
  return { hash: entry.slice(0, Math.max(at, 0)), text: entry.slice(at + 1) };
}

/** The text that is sealed of a row: where and when it was recorded, and what it says. */
export function sealedText(slotNumber: number, slot: string, row: string): string {
  return `${slotNumber.toFixed(0)}|${slot}|${row}`;
}

export function parseSealedText(text: string): {
  readonly number: number;
  readonly slot: string;
  readonly row: string;
} {
  const [number, slot, ...row] = text.split("|");
  return { number: Number(number), slot: slot ?? "", row: row.join("|") };
}
