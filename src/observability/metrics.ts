/** For each label the values it may have. Whatever else is told counts as `other`, so that nothing foreign gets in. */
export type Labels = Readonly<Record<string, readonly string[]>>;

/** A value of its own, or several, each with the values of its labels. */
type Reading = number | Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>;

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "gauge" | "histogram";
  lines(): Iterable<string>;
}

/** Numbers of this process, written as Prometheus reads them (text format 0.0.4). */
export class Metrics {
  readonly #metrics: Metric[] = [];

  counter<L extends Labels>(name: string, help: string, labels: L): Counter<L> {
    const counter = new Counter(name, help, labels);
    this.#metrics.push(counter);
    return counter;
  }

  histogram<L extends Labels>(
    name: string,
    help: string,
    labels: L,
    bounds: readonly number[],
  ): Histogram<L> {
    const histogram = new Histogram(name, help, labels, bounds);
    this.#metrics.push(histogram);
    return histogram;
  }

  /** A number that is looked up when somebody asks. */
  gauge(name: string, help: string, read: () => Reading, kind: "gauge" | "counter" = "gauge"): void {
    this.#metrics.push({
      ...{ name, help, kind },
      lines: function* () {
        const reading = read();
        if (typeof reading === "number") yield line(name, {}, reading);
        else for (const [labels, value] of reading) yield line(name, labels, value);
      },
    });
  }

  text(): string {
    const parts = this.#metrics.map(({ name, help, kind, lines }, n) =>
      [
        `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
        `# TYPE ${name} ${kind}`,
        ...lines.call(this.#metrics[n]!),
      ].join("\n"),
    );
    return `${parts.join("\n")}\n`;
  }
}

/** The content type of what `text` gives. */
export const metricsContentType = "text/plain; version=0.0.4; charset=utf-8";

type Values<L extends Labels> = { readonly [K in keyof L]: string };

/** Cells of one metric, one for each combination of label values that occurred. */
class Cells<L extends Labels, Cell> {
  readonly #names: readonly string[];
  readonly #allowed: readonly ReadonlySet<string>[];
  readonly #cells = new Map<string, { readonly labels: Record<string, string>; readonly cell: Cell }>();
  readonly #make: () => Cell;

  constructor(labels: L, make: () => Cell) {
    this.#names = Object.keys(labels);
    this.#allowed = Object.values(labels).map((values) => new Set(values));
    this.#make = make;
  }

  at(values: Values<L>): Cell {
    let key = "";
    for (let n = 0; n < this.#names.length; n++) {
      const value = values[this.#names[n]!]!;
      key += `${this.#allowed[n]!.has(value) ? value : "other"} `;
    }
    return this.#cells.get(key)?.cell ?? this.#begin(key);
  }

  /** @param key allowed values, none of which has a space */
  #begin(key: string): Cell {
    const values = key.split(" ");
    const labels = Object.fromEntries(this.#names.map((name, n) => [name, values[n]!]));
    const cell = this.#make();
    this.#cells.set(key, { labels, cell });
    return cell;
  }

  *[Symbol.iterator](): Generator<readonly [Record<string, string>, Cell]> {
    for (const { labels, cell } of this.#cells.values()) yield [labels, cell];
  }
}

class Counter<L extends Labels> implements Metric {
  readonly kind = "counter";
  readonly name: string;
  readonly help: string;
  readonly #cells: Cells<L, { value: number }>;

  constructor(name: string, help: string, labels: L) {
    this.name = name;
    this.help = help;
    this.#cells = new Cells(labels, () => ({ value: 0 }));
  }

  add(values: Values<L>, count = 1): void {
    this.#cells.at(values).value += count;
  }

  *lines(): Generator<string> {
    for (const [labels, { value }] of this.#cells) yield line(this.name, labels, value);
  }
}

class Histogram<L extends Labels> implements Metric {
  readonly kind = "histogram";
  readonly name: string;
  readonly help: string;
  readonly #bounds: readonly number[];
  readonly #cells: Cells<L, { readonly counts: number[]; sum: number; count: number }>;

  constructor(name: string, help: string, labels: L, bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
    this.#cells = new Cells(labels, () => ({ counts: bounds.map(() => 0), sum: 0, count: 0 }));
  }

  observe(values: Values<L>, value: number): void {
    const cell = this.#cells.at(values);
    cell.sum += value;
    cell.count += 1;
    const bucket = this.#bounds.findIndex((bound) => value <= bound);
    if (bucket >= 0) cell.counts[bucket]! += 1;
  }

  *lines(): Generator<string> {
    for (const [labels, { counts, sum, count }] of this.#cells) {
      let below = 0;
      for (const [n, bound] of this.#bounds.entries()) {
        below += counts[n]!;
        yield line(`${this.name}_bucket`, { ...labels, le: String(bound) }, below);
      }
      yield line(`${this.name}_bucket`, { ...labels, le: "+Inf" }, count);
      yield line(`${this.name}_sum`, labels, sum);
      yield line(`${this.name}_count`, labels, count);
    }
  }
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  const shown = Number.isFinite(value) ? String(value) : Number.isNaN(value) ? "NaN" : "+Inf";
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${shown}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
