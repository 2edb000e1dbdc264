/** A server elsewhere said no, or nothing; ends with status 1, as every refusal does. */
export class ServerRefused extends Error {
  override readonly name = "ServerRefused";
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }

  /** Whether it may answer another time as it is. */
  get isAway(): boolean {
    return (
      this.code === "server.unavailable" || this.code === "store.unavailable" || this.code === "cancelled"
    );
  }
}
