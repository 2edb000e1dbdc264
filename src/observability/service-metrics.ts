import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { Metrics } from "./metrics.js";

/** What a serving process counts; nothing of it names an agent, a topic or anything else a caller chose. */
export interface ServiceMetrics {
  readonly registry: Metrics;
  readonly calls: {
    called(tool: string, code: string, seconds: number): void;
    waits(): () => void;
  };
  /** One question to the store, from the moment it was sent to its answer or its failure. */
  roundTrip(seconds: number, answered: boolean): void;
  close(): void;
}

const callBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const storeBounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5];

/**
 * @param told.tools the names of the tools there are, and `told.codes` the words a call can end with: whatever else is
 *   told is counted as `other`
 */
export function openServiceMetrics(told: {
  readonly version: string;
  readonly tools: readonly string[];
  readonly codes: readonly string[];
}): ServiceMetrics {
  const registry = new Metrics();
  const delay = new LoopDelay();
  const { tools, codes } = told;
  const calls = registry.counter("llm_mailbox_calls_total", "Tool calls by tool and outcome.", {
    tool: tools,
    code: ["ok", "asked", "cancelled", ...codes],
  });
  const seconds = registry.histogram(
    "llm_mailbox_call_seconds",
    "How long tool calls took, the time they waited included.",
    { tool: tools },
    callBounds,
  );
  let waiting = 0;
  registry.gauge(
    "llm_mailbox_waits_open",
    "Calls that may be waiting for something to arrive.",
    () => waiting,
  );
  const trips = registry.histogram(
    "llm_mailbox_store_round_trip_seconds",
    "How long the store took to answer.",
    { outcome: ["answered", "failed"] },
    storeBounds,
  );
  addProcess(registry, told.version, delay);
  return {
    registry,
    calls: {
      called: (tool, code, took) => {
        calls.add({ tool, code });
        seconds.observe({ tool }, took);
      },
      waits: () => {
        waiting += 1;
        let over = false;
        return () => {
          if (!over) waiting -= 1;
          over = true;
        };
      },
    },
    roundTrip: (took, answered) => trips.observe({ outcome: answered ? "answered" : "failed" }, took),
    close: () => delay.stop(),
  };
}

function addProcess(registry: Metrics, version: string, delay: LoopDelay): void {
  registry.gauge("llm_mailbox_build_info", "The version that runs.", () => [[{ version }, 1]]);
  registry.gauge(
    "llm_mailbox_event_loop_delay_seconds",
    "How late the event loop was, over the last half minute to minute.",
    () => [
      [{ quantile: "0.5" }, delay.seconds(50)],
      [{ quantile: "0.99" }, delay.seconds(99)],
    ],
  );
  registry.gauge("process_resident_memory_bytes", "Resident memory.", () => process.memoryUsage.rss());
  registry.gauge(
    "process_cpu_seconds_total",
    "Processor time, user and system.",
    () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    "counter",
  );
  const startedAt = Date.now() / 1000 - process.uptime();
  registry.gauge("process_start_time_seconds", "When the process began, in Unix time.", () => startedAt);
}

const resolutionMs = 20;
const windowMs = 30_000;

/** How late the event loop is, in two windows that follow each other, so that who asks disturbs nobody else. */
class LoopDelay {
  #now: IntervalHistogram = begun();
  #before: IntervalHistogram | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => {
      this.#now.disable();
      this.#before = this.#now;
      this.#now = begun();
    }, windowMs);
    this.#timer.unref();
  }

  seconds(percentile: number): number {
    const windows = [this.#now, this.#before].filter((window) => window !== undefined && window.count > 0);
    const worst = Math.max(0, ...windows.map((window) => window!.percentile(percentile)));
    // The histogram holds the time between two beats of its timer.
    return Math.max(worst / 1e9 - resolutionMs / 1000, 0);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#now.disable();
  }
}

function begun(): IntervalHistogram {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  return histogram;
}
