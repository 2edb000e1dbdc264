import { describe, expect, it } from "vitest";
import { readCostReports, whatIsOff } from "../../src/policy/index.js";

const noon = Date.UTC(2026, 10, 25, 12);

function exported(temporality: unknown, ...points: readonly object[]): string {
  return JSON.stringify({
    resourceMetrics: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "claude-code" } }] },
        scopeMetrics: [
          {
            metrics: [
              {
                name: "claude_code.cost.usage",
                sum: { aggregationTemporality: temporality, isMonotonic: true, dataPoints: points },
              },
            ],
          },
        ],
      },
    ],
  });
}

function point(agent: string, minute: number, value: object, start = 0): object {
  return {
    attributes: [{ key: "agent", value: { stringValue: agent } }],
    startTimeUnixNano: `${noon + start}000000`,
    timeUnixNano: `${noon + minute * 60_000}000000`,
    ...value,
  };
}

describe("reported costs", () => {
  it("are known by source and id, whatever else their line says", () => {
    const line = (more: object): string =>
      JSON.stringify({ id: "1", source: "s", agent: "alice", at: noon, cost: 0.1234567, ...more });
    const { reports } = readCostReports(
      [line({}), "", line({ note: "x" }), line({ id: "2" }), line({ source: "t" })].join("\n"),
    );
    expect(reports[0]).toMatchObject({
      agent: "alice",
      day: Math.floor(noon / 86_400_000),
      millionths: 123_457,
    });
    expect(new Set(reports.map(({ name }) => name)).size).toBe(3);
    expect(reports[1]).toEqual(reports[0]);
  });

  it("are in OTLP each a cost of its own as a delta, and one growing sum as a sum", () => {
    const deltas = readCostReports(
      exported(
        1,
        point("alice", 1, { asDouble: 0.5 }),
        point("alice", 2, { asDouble: 0.5 }),
        point("bob", 1, { asInt: "2" }),
      ),
    ).reports;
    expect(deltas.map(({ agent, millionths, manner }) => [agent, millionths, manner])).toEqual([
      ["alice", 500_000, "once"],
      ["alice", 500_000, "once"],
      ["bob", 2_000_000, "once"],
    ]);
    expect(new Set(deltas.map(({ name }) => name)).size).toBe(3);
    const sums = readCostReports(
      exported(
        "AGGREGATION_TEMPORALITY_CUMULATIVE",
        point("alice", 1, { asDouble: 0.5 }),
        point("alice", 2, { asDouble: 0.75 }),
        point("alice", 3, { asDouble: 0.25 }, 120_000),
      ),
    ).reports;
    expect(sums.map(({ manner }) => manner)).toEqual(["sum", "sum", "sum"]);
    expect(sums[0]!.name).toBe(sums[1]!.name);
    expect(sums[2]!.name).not.toBe(sums[1]!.name);
  });

  it("are not made of what is no cost", () => {
    for (const [temporality, value] of [
      [0, { asDouble: 1 }],
      [undefined, { asDouble: 1 }],
      [1, {}],
      [1, { asDouble: -1 }],
      [1, { asDouble: "many" }],
    ] as const)
      expect(readCostReports(exported(temporality, point("alice", 1, value)))).toEqual({
        reports: [],
        unnamed: 0,
      });
    for (const odd of [
      '{"resourceMetrics":1}',
      '{"resourceMetrics":[1,{"scopeMetrics":[{"metrics":[{}]}]}]}',
    ])
      expect(readCostReports(odd)).toEqual({ reports: [], unnamed: 0 });
    expect(() => readCostReports('{"resourceMetrics":[]}\nno json')).toThrow(
      /^budget\.report_invalid: line 2 /,
    );
  });
});

describe("figures", () => {
  it("are off when they are apart by more than a fifth of the larger and by more than 1", () => {
    const figures = (estimated: number, settled: number, reported?: number) =>
      whatIsOff({ estimated, settled, ...(reported === undefined ? {} : { reported }) });
    expect(figures(10, 8)).toEqual([]);
    expect(figures(10, 7.99)).toEqual(["settled below estimated by 20 %"]);
    expect(figures(2, 1)).toEqual([]);
    expect(figures(2.000001, 1)).toEqual(["settled below estimated by 50 %"]);
    expect(figures(0, 4)).toEqual(["settled above estimated"]);
    expect(figures(5, 0)).toEqual(["settled below estimated by 100 %"]);
    expect(figures(5, 5, 10)).toEqual(["settled below reported by 50 %"]);
    expect(figures(5, 5, 0)).toEqual(["settled above reported"]);
  });
});
