/**
 * The data of each event of a server-sent event stream, fed piece by piece. Comments, ids and names are of no interest
 * here; an event without its closing empty line is incomplete and is not told.
 */
export class EventStream {
  readonly #onData: (data: string) => void;
  #rest = "";
  #data: string[] = [];

  constructor(onData: (data: string) => void) {
    this.#onData = onData;
  }

  /** How much of an unfinished line is held. */
  get held(): number {
    return this.#rest.length;
  }

  feed(text: string): void {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop()!;
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line === "") {
      const data = this.#data.join("\n");
      this.#data = [];
      if (data !== "") this.#onData(data);
    } else if (line.startsWith("data:")) this.#data.push(line.slice(line.startsWith("data: ") ? 6 : 5));
  }
}
