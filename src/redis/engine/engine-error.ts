/** Why no engine could be had; the message says what the operator can do. */
export class EngineError extends Error {
  override readonly name: string = "EngineError";
}
