import { auditKeys, rowsPerChunk, type Store } from "../redis/index.js";
import { parseSealed, parseSealedText, type SealedRow } from "./chain.js";
import { beginOfChain } from "./sealed-rows.js";

/** A sealed row as it is handed out: with what is needed to link it again elsewhere. */
export interface ExportedRow extends SealedRow {
  readonly number: number;
  readonly slot: string;
  readonly row: string;
}

/** Every sealed row, oldest first. */
export async function* exportAudit(store: Store, namespace: string): AsyncGenerator<ExportedRow> {
  const keys = auditKeys(namespace);
  const ended = Number((await store.command("HGET", keys.end, "number")) ?? 0);
  const first = await beginOfChain(store, keys, ended);
  for (let from = first; from <= ended; from += rowsPerChunk) {
    const entries = (await store.command("LRANGE", keys.chunk(from), 0, -1)) as string[];
    for (const [n, entry] of entries.entries()) {
      const sealed = parseSealed(entry);
      const { slot, row } = parseSealedText(sealed.text);
      yield { ...sealed, number: from + n, slot, row };
    }
  }
}
