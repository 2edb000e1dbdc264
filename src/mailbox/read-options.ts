/** How a page is read: what the face knows and the caller does not say. */
export interface ReadOptions {
  readonly signal?: AbortSignal;
  /** Aborts when a wait is to end as if its time were over. */
  readonly over?: AbortSignal;
  /** Characters one reply may have; longer texts are cut and stay open until they were read to the end. */
  readonly maxChars: number;
  readonly onWaiting?: (secondsLeft: number) => void;
  /** The caller has no session that would tell whether a reply arrived: it names what it saw by `after`. */
  readonly sessionless?: boolean;
}
