/** The way of one reply to its client. */
export interface Exchange {
  /** Aborts when the client cancelled the call, or went away before its reply was handed over. */
  readonly signal: AbortSignal;
  /** Calls back once, with whether the reply was handed over whole. */
  onSettled(callback: (reached: boolean) => void): void;
}

/** What a transport uses to tell how an exchange went. */
export interface SettledExchange extends Exchange {
  /** Only the first word counts: a reply that was handed over cannot be cancelled any more. */
  settle(reached: boolean): void;
}

export function newExchange(signal: AbortSignal): SettledExchange {
  let outcome: boolean | undefined;
  const callbacks: ((reached: boolean) => void)[] = [];
  const settle = (reached: boolean): void => {
    if (outcome !== undefined) return;
    outcome = reached;
    for (const callback of callbacks.splice(0)) callback(reached);
  };
  return {
    signal,
    settle,
    onSettled: (callback) => {
      if (outcome === undefined) callbacks.push(callback);
      else callback(outcome);
    },
  };
}
