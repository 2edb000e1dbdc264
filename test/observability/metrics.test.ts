import { describe, expect, it } from "vitest";
import { Metrics, metricsContentType, openServiceMetrics } from "../../src/observability/index.js";

describe("the numbers of a process", () => {
  it("are written as Prometheus reads them", () => {
    const metrics = new Metrics();
    const calls = metrics.counter("calls_total", "Calls.\nAll \\ of them.", {
      tool: ["a", "b"],
      code: ["ok"],
    });
    const seconds = metrics.histogram("call_seconds", "Time.", { tool: ["a"] }, [0.1, 1]);
    metrics.gauge("open", "Open now.", () => 3);
    metrics.gauge("tier", "Tier.", () => [[{ tier: 'a"b\\c\nd' }, 1]]);
    calls.add({ tool: "a", code: "ok" });
    calls.add({ tool: "a", code: "ok" }, 2);
    calls.add({ tool: "b", code: "ok" });
    for (const took of [0.05, 0.1, 0.5, 7]) seconds.observe({ tool: "a" }, took);
    expect(metrics.text()).toBe(
      [
        "# HELP calls_total Calls.\\nAll \\\\ of them.",
        "# TYPE calls_total counter",
        'calls_total{tool="a",code="ok"} 3',
        'calls_total{tool="b",code="ok"} 1',
        "# HELP call_seconds Time.",
        "# TYPE call_seconds histogram",
        'call_seconds_bucket{tool="a",le="0.1"} 2',
        'call_seconds_bucket{tool="a",le="1"} 3',
        'call_seconds_bucket{tool="a",le="+Inf"} 4',
        'call_seconds_sum{tool="a"} 7.65',
        'call_seconds_count{tool="a"} 4',
        "# HELP open Open now.",
        "# TYPE open gauge",
        "open 3",
        "# HELP tier Tier.",
        "# TYPE tier gauge",
        'tier{tier="a\\"b\\\\c\\nd"} 1',
        "",
      ].join("\n"),
    );
    expect(metricsContentType).toBe("text/plain; version=0.0.4; charset=utf-8");
  });

  it("have labels of the values they were declared with, and no other gets in", () => {
    const metrics = new Metrics();
    const calls = metrics.counter("calls_total", "Calls.", { tool: ["a"] });
    for (const hostile of ["alice", 'a"} 1\nfake_total 9', "__proto__", "a "]) calls.add({ tool: hostile });
    expect(metrics.text().split("\n").slice(2)).toEqual(['calls_total{tool="other"} 4', ""]);
  });

  it("say how late the event loop was", async () => {
    const metrics = openServiceMetrics({ version: "1", tools: ["a"], codes: [] });
    const late = (): number =>
      Number(/event_loop_delay_seconds\{quantile="0.99"\} (\S+)/.exec(metrics.registry.text())![1]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const until = performance.now() + 300;
    while (performance.now() < until);
    await expect.poll(late).toBeGreaterThan(0.2);
    metrics.close();
  });

  it("count a wait until it is over, once", () => {
    const metrics = openServiceMetrics({ version: "1", tools: ["a"], codes: [] });
    const over = metrics.calls.waits();
    metrics.calls.waits();
    over();
    over();
    expect(metrics.registry.text()).toContain("llm_mailbox_waits_open 1\n");
    metrics.close();
  });
});
