/** What the face tells of its calls. No name, and no text of a client, is ever told. */
export interface CallMeters {
  /** @param tool one of ours · @param code `ok`, `cancelled` or the code of a refusal */
  called(tool: string, code: string, seconds: number): void;
  /** A call begins to wait. The answer ends it. */
  waits(): () => void;
}
