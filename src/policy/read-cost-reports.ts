import { isAgentName } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import { digest } from "../redis/index.js";
import { isObject } from "./is-object.js";

/** What an independent source says that an agent did cost. */
export interface CostReport {
  /** Names it, so that it is added once. */
  readonly name: string;
  readonly agent: string;
  /** Days since the beginning of 1970, UTC. */
  readonly day: number;
  readonly millionths: number;
  /** A cost of its own, or a sum that grows. */
  readonly manner: "once" | "sum";
}

export interface ReadReports {
  readonly reports: readonly CostReport[];
  /** Costs of which nobody says whose they are. */
  readonly unnamed: number;
}

const dayMs = 86_400_000;
const costMetric = "claude_code.cost.usage";
const agentAttributes = ["llm_mailbox.agent", "agent"] as const;
const delta = [1, "1", "AGGREGATION_TEMPORALITY_DELTA"];
const cumulative = [2, "2", "AGGREGATION_TEMPORALITY_CUMULATIVE"];

/**
 * Reads what a billing export or an OpenTelemetry collector's file exporter wrote: a JSON object a line, either
 * `{id, at, agent, cost, source}` or OTLP/JSON metrics, of which `claude_code.cost.usage` is taken.
 *
 * @param agent whose costs those of OTLP are that name no agent
 * @throws {MailboxError} `budget.report_invalid`, which names the line
 */
export function readCostReports(text: string, agent?: string): ReadReports {
  const reports: CostReport[] = [];
  let unnamed = 0;
  for (const [n, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const wrong = (problem: string): never => refuse("budget.report_invalid", { line: n + 1, problem });
    const read = parsed(line) ?? wrong("it is not a JSON object");
    if (!("resourceMetrics" in read)) {
      reports.push(reportOf(read, wrong));
      continue;
    }
    for (const point of pointsOf(read)) {
      const whose = point.agent ?? agent;
      if (whose === undefined) unnamed++;
      else
        reports.push({ ...point, agent: isAgentName(whose) ? whose : wrong("an agent is named otherwise") });
    }
  }
  return { reports, unnamed };
}

function reportOf(
  { id, at, agent, cost, source }: Record<string, unknown>,
  wrong: (problem: string) => never,
): CostReport {
  const time = typeof at === "string" ? Date.parse(at) : typeof at === "number" ? at : Number.NaN;
  if (typeof id !== "string" || id === "") wrong("id is missing; it names the cost within its source");
  if (typeof source !== "string" || source === "") wrong("source is missing; it says who reports the cost");
  if (!Number.isFinite(time)) wrong("at is not a time such as 2026-11-25T12:00:00Z");
  if (typeof agent !== "string" || !isAgentName(agent)) return wrong("agent is not the name of an agent");
  if (typeof cost !== "number" || !(cost >= 0 && cost <= 1e9))
    return wrong("cost is not a number from 0 to 1e9");
  return {
    name: `r|${digest([source, id])}`,
    agent,
    day: Math.floor(time / dayMs),
    millionths: Math.round(cost * 1e6),
    manner: "once",
  };
}

type Point = Omit<CostReport, "agent"> & { readonly agent?: string };

/** Lists of OTLP are looked through whatever else is in them; what is not understood is not a cost. */
function pointsOf(read: Record<string, unknown>): readonly Point[] {
  return listIn(read, "resourceMetrics").flatMap((resourced) => {
    const resource = attributesOf(objectIn(resourced, "resource"));
    return listIn(resourced, "scopeMetrics")
      .flatMap((scope) => listIn(scope, "metrics"))
      .filter(({ name }) => name === costMetric)
      .flatMap((metric) => {
        const sum = objectIn(metric, "sum");
        return listIn(sum, "dataPoints").flatMap(
          (point) => pointOf(point, resource, sum.aggregationTemporality) ?? [],
        );
      });
  });
}

function pointOf(
  point: Record<string, unknown>,
  resource: ReadonlyMap<string, string>,
  temporality: unknown,
): Point | undefined {
  const isDelta = delta.some((one) => one === temporality);
  if (!isDelta && !cumulative.some((one) => one === temporality)) return undefined;
  const cost = Number(point.asDouble ?? point.asInt);
  const time = Number(point.timeUnixNano) / 1e6;
  if (!(cost >= 0 && cost <= 1e9) || !Number.isFinite(time)) return undefined;
  const own = attributesOf(point);
  const agent = agentAttributes
    .map((key) => own.get(key) ?? resource.get(key))
    .find((name) => name !== undefined);
  const series = [[...resource].sort(), [...own].sort(), String(point.startTimeUnixNano)];
  return {
    name: isDelta
      ? `r|${digest([costMetric, series, String(point.timeUnixNano)])}`
      : `r|${digest([costMetric, series])}`,
    ...(agent === undefined ? {} : { agent }),
    day: Math.floor(time / dayMs),
    millionths: Math.round(cost * 1e6),
    manner: isDelta ? "once" : "sum",
  };
}

function attributesOf(holder: Record<string, unknown>): ReadonlyMap<string, string> {
  return new Map(
    listIn(holder, "attributes").map(({ key, value }) => {
      const { stringValue, intValue, doubleValue, boolValue } = (value ?? {}) as Record<string, unknown>;
      return [String(key), String(stringValue ?? intValue ?? doubleValue ?? boolValue ?? "")] as const;
    }),
  );
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    const read = JSON.parse(line) as unknown;
    return isObject(read) ? read : undefined;
  } catch {
    return undefined;
  }
}

function listIn(holder: Record<string, unknown>, key: string): readonly Record<string, unknown>[] {
  const list = holder[key];
  return Array.isArray(list) ? list.filter(isObject) : [];
}

function objectIn(holder: Record<string, unknown>, key: string): Record<string, unknown> {
  const inner = holder[key];
  return isObject(inner) ? inner : {};
}
