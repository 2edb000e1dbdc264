import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { matchesTopic, parsePattern } from "../../src/addresses/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { TopicDesk } from "./topic-fixture.js";

const topics = ["a.x", "a.x", "a", "a.y", "a.x.z", "b", "b.x"];
const patterns = ["a.x", "a.*", "a.**", "b.x", "*.x", "**"];
const agents = ["alice", "carol"];

type Step =
  | { do: "publish"; topic: string; urgent: boolean; sender: string }
  | { do: "subscribe"; agent: string; pattern: string; earliest: boolean; sender: string }
  | { do: "stop"; agent: string; pattern: string }
  | { do: "read"; agent: string; run: string; limit: number; topic: string; reached: boolean; sender: string }
  | { do: "look"; agent: string }
  | { do: "crash"; agent: string; run: string };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      topic: fc.constantFrom(...topics),
      urgent: fc.boolean(),
      sender: fc.constantFrom("bob", "dora"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("subscribe" as const),
      agent: fc.constantFrom(...agents),
      pattern: fc.constantFrom(...patterns),
      earliest: fc.boolean(),
      sender: fc.constantFrom("", "", "dora"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("stop" as const),
      agent: fc.constantFrom(...agents),
      pattern: fc.constantFrom(...patterns),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("read" as const),
      agent: fc.constantFrom(...agents),
      run: fc.constantFrom("1", "2"),
      limit: fc.integer({ min: 1, max: 4 }),
      topic: fc.constantFrom("**", "**", "a.x", "a.**"),
      reached: fc.boolean(),
      sender: fc.constantFrom("", "", "dora"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("look" as const), agent: fc.constantFrom(...agents) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("crash" as const),
      agent: fc.constantFrom(...agents),
      run: fc.constantFrom("1", "2"),
    }),
  },
);

interface Published {
  readonly body: string;
  readonly topic: string;
  readonly sender: string;
  readonly urgent: boolean;
}

/** What the topics promise, in the simplest terms: one log, and for each agent what it was promised and given. */
class Model {
  readonly log: Published[] = [];
  readonly #readers = new Map<string, Reader>();

  reader(agent: string): Reader {
    const reader = this.#readers.get(agent) ?? new Reader();
    this.#readers.set(agent, reader);
    return reader;
  }

  publish(message: Published): void {
    this.log.push(message);
    for (const reader of this.#readers.values()) reader.offer(message);
  }
}

class Reader {
  readonly bindings = new Map<string, string>();
  /** Promised and not settled: waiting, or open in the named page of a run. */
  readonly waiting = new Set<Published>();
  readonly open = new Map<Published, { readonly run: string; readonly batch: string }>();
  /** Handed out once, so not to be promised again by another subscription. */
  readonly given = new Set<Published>();
  readonly unconfirmed = new Map<string, { readonly batch: string; readonly reached: boolean }>();

  /** Something was handed out and is not settled. */
  isHolding(): boolean {
    return this.open.size > 0 || [...this.waiting].some((message) => this.given.has(message));
  }

  wants(pattern: string, sender: string, message: Published): boolean {
    return matchesTopic(parsePattern(pattern), message.topic) && (sender === "" || sender === message.sender);
  }

  offer(message: Published): void {
    for (const [pattern, sender] of this.bindings)
      if (this.wants(pattern, sender, message)) this.waiting.add(message);
  }
}

describeOnEachStore("followed topics, held to a simple model", (store) => {
  const desks: TopicDesk[] = [];
  afterAll(() => {
    for (const desk of desks) desk.close();
  });

  it("deliver to every agent exactly what it was promised, each message to one run at a time", async () => {
    const runs = Number(process.env.MODEL_RUNS ?? 15);
    const shared = await TopicDesk.open(store());
    desks.push(shared);
    let delivered = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 80, size: "max" }), async (steps) => {
        const desk = shared.inNamespace();
        const model = new Model();
        let count = 0;
        for (const one of steps) {
          if (one.do === "publish") {
            const body = `${count++}`;
            const { topic, sender, urgent } = one;
            await desk.publish(topic, body, { from: sender, priority: urgent ? "urgent" : "normal" });
            model.publish({ body, topic, sender, urgent });
          } else if (one.do === "subscribe") {
            const reader = model.reader(one.agent);
            const again = reader.bindings.has(one.pattern);
            const sender = again ? reader.bindings.get(one.pattern)! : one.sender;
            const receipt = await desk.subscribe(one.agent, one.pattern, {
              start_at: one.earliest ? "earliest" : "now",
              ...(sender === "" ? {} : { sender }),
            });
            expect(receipt.state).toBe(again ? "already_subscribed" : "subscribed");
            reader.bindings.set(one.pattern, sender);
            if (!again && one.earliest)
              for (const message of model.log)
                if (reader.wants(one.pattern, sender, message) && !reader.given.has(message))
                  reader.waiting.add(message);
          } else if (one.do === "stop") {
            const reader = model.reader(one.agent);
            // What a stopped subscription had done may be forgotten, so the model stops the only one, with nothing open.
            if (reader.bindings.size !== 1 || !reader.bindings.has(one.pattern) || reader.isHolding())
              continue;
            expect((await desk.subscribe(one.agent, one.pattern, { stop: true })).state).toBe("stopped");
            reader.bindings.clear();
            reader.waiting.clear();
            reader.given.clear();
          } else if (one.do === "look") {
            await desk.topics.feed.heads(desk.caller(one.agent), {
              seen: [],
              unseen: [],
              filter: { minPriority: 0 },
              limit: 3,
            });
          } else if (one.do === "crash") {
            const reader = model.reader(one.agent);
            await desk.topics.feed.releaseRun(desk.namespace, one.agent, `${one.agent}/${one.run}`);
            for (const [message, where] of [...reader.open])
              if (where.run === one.run) {
                reader.open.delete(message);
                reader.waiting.add(message);
              }
            reader.unconfirmed.delete(one.run);
          } else {
            delivered += await readAndCompare(desk, model, one);
          }
        }
        // In the end everybody reads to the end: nothing promised is left, nothing else comes.
        for (const agent of agents) {
          const reader = model.reader(agent);
          for (const run of ["1", "2"]) {
            await desk.topics.feed.releaseRun(desk.namespace, agent, `${agent}/${run}`);
          }
          const rest = new Set([...reader.waiting, ...reader.open.keys()].map((message) => message.body));
          const bodies = await desk.readAll(agent, { topic: "**", limit: 5 });
          expect(bodies.toSorted()).toEqual([...rest].sort());
        }
      }),
      { numRuns: runs },
    );
    // Random steps that never deliver anything would prove nothing.
    expect(delivered).toBeGreaterThan(5 * runs);
  }, 300_000);
});

async function readAndCompare(
  desk: TopicDesk,
  model: Model,
  ask: Extract<Step, { do: "read" }>,
): Promise<number> {
  const reader = model.reader(ask.agent);
  const last = reader.unconfirmed.get(ask.run);
  reader.unconfirmed.delete(ask.run);
  const page = await desk.read(ask.agent, {
    run: ask.run,
    limit: ask.limit,
    topic: ask.topic,
    ...(ask.sender === "" ? {} : { sender: ask.sender }),
    seen: last?.reached ? [last.batch] : [],
    unseen: last && !last.reached ? [last.batch] : [],
  });
  if (last)
    for (const [message, where] of [...reader.open])
      if (where.batch === last.batch) {
        reader.open.delete(message);
        if (!last.reached) reader.waiting.add(message);
      }
  const asked = [...reader.waiting].filter((message) => reader.wants(ask.topic, ask.sender, message));
  // Within a root the most urgent come first, then the oldest; between roots the desk takes them as they come.
  for (const body of page.bodies) {
    const message = asked.find((one) => one.body === body);
    expect(message, `${body} was not promised to ${ask.agent}, or is open elsewhere`).toBeDefined();
    const root = message!.topic.split(".")[0];
    const better = asked.filter(
      (one) =>
        one.topic.split(".")[0] === root &&
        !page.bodies.includes(one.body) &&
        (one.urgent && !message!.urgent
          ? true
          : one.urgent === message!.urgent && Number(one.body) < Number(body)),
    );
    expect(
      better.map((one) => one.body),
      `left out before ${body}`,
    ).toEqual([]);
    reader.waiting.delete(message!);
    reader.given.add(message!);
    reader.open.set(message!, { run: ask.run, batch: page.batch });
  }
  expect(page.bodies.length).toBe(Math.min(ask.limit, asked.length));
  reader.unconfirmed.set(ask.run, { batch: page.batch, reached: ask.reached });
  return page.bodies.length;
}
