import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ask,
  EventStream,
  modernCall,
  modernListen,
  openSession,
  ServeProcess,
  SseClient,
  toolCall,
} from "./raw-http.js";

/** Reads the text format as strictly as it is defined: names, labels, numbers, and a TYPE before its samples. */
function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  let family = "";
  expect(text.endsWith("\n")).toBe(true);
  for (const line of text.slice(0, -1).split("\n")) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    if (comment) {
      if (comment[1] === "TYPE") {
        family = comment[2]!;
        expect(["counter", "gauge", "histogram"]).toContain(comment[3]);
      }
      continue;
    }
    const sample =
      /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\]|\\["\\n])*",?)+\})? (-?[\d.]+(?:e[+-]?\d+)?|NaN|\+Inf)$/.exec(
        line,
      );
    if (!sample) throw new Error(`not a sample: ${line}`);
    expect(sample[1]!.replace(/_(bucket|sum|count)$/, "")).toBe(family.replace(/_(bucket|sum|count)$/, ""));
    expect(samples.has(`${sample[1]}${sample[2] ?? ""}`)).toBe(false);
    samples.set(`${sample[1]}${sample[2] ?? ""}`, Number(sample[3]));
  }
  return samples;
}

describe("/metrics", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "mailbox-metrics-"));
  let server: ServeProcess;
  beforeAll(async () => {
    server = await ServeProcess.start({
      LLM_MAILBOX_DATA_DIR: dataDir,
      LLM_MAILBOX_ENGINE_IDLE_SECONDS: "1",
    });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const read = async () => samplesOf((await ask(`${server.url}/metrics`)).body);

  it("counts calls by tool and outcome, times them and the store, and shows what is open", async () => {
    const at = `${server.url}/mcp?agent=counted`;
    const session = await openSession(at);
    await ask(at, {
      headers: session,
      body: toolCall(1, "send_message", { to: ["counted"], body: "hello" }),
    });
    await ask(at, { headers: session, body: toolCall(2, "read_inbox") });
    await ask(at, { headers: session, body: toolCall(3, "send_message", { to: ["counted"] }) });
    const sse = await SseClient.open(server.url, "counted");
    const stream = await EventStream.open(at, modernListen("l", ["mailbox://inbox"]));
    await stream.until(/acknowledged/);
    const waiting = ask(at, modernCall(4, "read_inbox", { wait_seconds: 50 })).catch(() => undefined);
    await expect.poll(async () => (await read()).get("llm_mailbox_waits_open")).toBe(1);
    const samples = await read();
    const expected = {
      'llm_mailbox_calls_total{tool="send_message",code="ok"}': 1,
      'llm_mailbox_calls_total{tool="send_message",code="input.invalid"}': 1,
      'llm_mailbox_calls_total{tool="read_inbox",code="ok"}': 1,
      'llm_mailbox_call_seconds_count{tool="send_message"}': 2,
      'llm_mailbox_sessions_open{kind="session"}': 1,
      'llm_mailbox_sessions_open{kind="sessionless"}': 1,
      'llm_mailbox_sessions_open{kind="sse"}': 1,
      'llm_mailbox_streams_open{kind="subscription"}': 1,
      'llm_mailbox_streams_open{kind="sse"}': 1,
      llm_mailbox_http_calls_in_flight: 1,
      llm_mailbox_store_connected: 1,
      'llm_mailbox_store_tier{tier="D2"}': 1,
    };
    for (const [name, value] of Object.entries(expected))
      expect([name, samples.get(name)]).toEqual([name, value]);
    expect(samples.get('llm_mailbox_store_round_trip_seconds_count{outcome="answered"}')).toBeGreaterThan(3);
    expect(samples.get('llm_mailbox_http_requests_total{path="/mcp",status="200"}')).toBeGreaterThan(3);
    expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(1e7);
    expect(samples.get('llm_mailbox_event_loop_delay_seconds{quantile="0.99"}')).toBeGreaterThanOrEqual(0);
    const answer = await ask(`${server.url}/metrics`);
    expect(answer.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    sse.stream.cut();
    stream.cut();
    await ask(at, modernCall(5, "send_message", { to: ["counted"], body: "end the wait" }));
    await waiting;
    await expect
      .poll(async () => {
        const now = await read();
        return [
          "waits_open",
          "http_calls_in_flight",
          'streams_open{kind="subscription"}',
          'sessions_open{kind="sse"}',
        ].map((name) => now.get(`llm_mailbox_${name}`));
      })
      .toEqual([0, 0, 0, 0]);
  });

  it("is described in docs/operations.md, each number and its kind", async () => {
    const { body } = await ask(`${server.url}/metrics`);
    const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
    const told = [...page.matchAll(/^\| `((?:llm_mailbox|process)_\w+)` \| (\w+) \|/gm)];
    const there = [...body.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
    const sorted = (found: readonly RegExpMatchArray[]) =>
      found.map(([, name, kind]) => `${name} ${kind}`).sort();
    expect(there.length).toBeGreaterThan(10);
    expect(sorted(told)).toEqual(sorted(there));
  });

  it("shows nothing that a caller chose: no name, topic, tool, path or text", async () => {
    const hostile = "zq-secret-name";
    const at = `${server.url}/mcp?agent=${hostile}`;
    await ask(
      at,
      modernCall(1, "send_message", { to: [`topic:${hostile}.x`, hostile], subject: hostile, body: hostile }),
    );
    await ask(at, modernCall(2, hostile));
    await ask(at, modernCall(3, `x"} 1\nfake_total{a="${hostile}`.replace("\n", "")));
    await ask(at, modernCall(4, "__proto__"));
    await ask(at, modernCall(5, "read_inbox", { mailbox: `queue:${hostile}` }));
    await ask(`${server.url}/${hostile}?x=${hostile}`);
    await ask(`${server.url}/metrics/${hostile}`);
    await ask(`${server.url}/mcp?agent=${hostile}`, { method: "PROPFIND" });
    const session = await openSession(at);
    await ask(at, { headers: { ...session, "x-label": hostile }, body: toolCall(hostile, hostile) });
    const { body } = await ask(`${server.url}/metrics`);
    expect(body).not.toContain(hostile);
    expect(body).not.toContain("fake_total");
    expect(samplesOf(body).get('llm_mailbox_http_requests_total{path="other",status="404"}')).toBe(2);
  });

  it("is guarded as everything is, and /healthz and /readyz stand beside it", async () => {
    expect((await ask(`${server.url}/metrics`, { headers: { host: "example.org" } })).status).toBe(403);
    expect((await ask(`${server.url}/metrics`, { headers: { origin: "https://example.org" } })).status).toBe(
      403,
    );
    expect((await ask(`${server.url}/healthz`)).body).toBe('{"status":"ok"}');
    expect(JSON.parse((await ask(`${server.url}/readyz`)).body)).toMatchObject({ ready: true, tier: "D2" });
  });
});
