import type { RelayedRequest } from "./relay-refusal.js";
import type { RelayedServer } from "./relay-server.js";
import { keepSubscription } from "./relay-subscription.js";

/** So long after a lifeline was refused none is asked for: the server may know none. */
const refusedForMs = 60_000;

/**
 * The stream by which the server sees that a relay for a client of the 2026 era lives, which has no session: it names
 * nothing, and its frames are for nobody.
 */
export class Lifeline {
  readonly #server: RelayedServer;
  readonly #over: AbortSignal;
  #isKept = false;
  #triedAt = Number.NEGATIVE_INFINITY;

  constructor(server: RelayedServer, over: AbortSignal) {
    this.#server = server;
    this.#over = over;
  }

  /** Keeps it from now on, said in the words of a request of the client. */
  keep({ params }: RelayedRequest): void {
    if (this.#isKept || performance.now() - this.#triedAt < refusedForMs) return;
    this.#isKept = true;
    const request = {
      jsonrpc: "2.0",
      id: "llm-mailbox-relay-lifeline",
      method: "subscriptions/listen",
      params: { notifications: {}, _meta: params?._meta },
    } as RelayedRequest;
    const untold = async (): Promise<void> => undefined;
    // Nobody waits for it, and a server that is away may come.
    void keepSubscription(this.#server, request, untold, this.#over, Number.POSITIVE_INFINITY).finally(() => {
      this.#isKept = false;
      this.#triedAt = performance.now();
    });
  }
}
