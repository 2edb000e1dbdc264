import type { Spread } from "./measure.js";
import type { BenchStore } from "./stores.js";

/** One line of the table. */
export interface Finding {
  readonly what: string;
  readonly store: string;
  /** What the aim is about: a ratio, or a number with its unit. */
  readonly value: string;
  readonly aim?: string;
  readonly met?: boolean;
  readonly beside: string;
}

export interface Options {
  /** A short run: fewer rounds, smaller backlogs; says what breaks, not what it costs. */
  readonly quick: boolean;
  readonly tell: (line: string) => void;
}

/** A measurement that is made on every store. */
export interface Measurement {
  readonly name: string;
  /** Limits of the product that it raises by the environment, named in the output. */
  readonly raised?: Readonly<Record<string, string>>;
  /** Measured once instead of on each kind of store. */
  readonly once?: boolean;
  measure(store: BenchStore, options: Options): Promise<readonly Finding[]>;
}

export function times({ median, min, max }: Spread): string {
  return `${median.toFixed(2)}× (${min.toFixed(2)}–${max.toFixed(2)})`;
}

export function us(value: number): string {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} ms` : `${value.toFixed(0)} µs`;
}

export function ms(value: number): string {
  return value >= 100 ? `${value.toFixed(0)} ms` : `${value.toFixed(2)} ms`;
}
