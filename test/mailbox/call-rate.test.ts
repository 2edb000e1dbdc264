import { describe, expect, it } from "vitest";
import type { MailboxError } from "../../src/errors/index.js";
import { serveHttp } from "../../src/http/index.js";
import { CallRate } from "../../src/mailbox/call-rate.js";
import { Agent, openFaultHouse } from "../faults/fault-house.js";
import {
  type Asked,
  ask,
  message,
  modernCall,
  openSession,
  SseClient,
  textIn,
  toolCall,
} from "../http/raw-http.js";
import { noLog } from "../mcp/support.js";
import { startStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

describe("the calls an agent makes in a minute", () => {
  it("are counted by its name, and anew with each minute", async () => {
    const rate = new CallRate();
    const alone = async (calls: number) => ({ minute: -1, calls });
    expect(await rate.count("n/a", 100, 60_000, alone)).toEqual({ calls: 1, secondsLeft: 60 });
    expect(await rate.count("n/a", 100, 119_999, alone)).toEqual({ calls: 2, secondsLeft: 1 });
    expect(await rate.count("n/b", 100, 119_999, alone)).toMatchObject({ calls: 1 });
    expect(await rate.count("n/a", 100, 120_000, alone)).toMatchObject({ calls: 1 });
  });

  it("are told to the store by the sixteenth of the limit, not past it, and count without it too", async () => {
    const rate = new CallRate();
    const told: number[] = [];
    const count = (failing = false) =>
      rate.count("n/a", 32, 0, async (more) => {
        told.push(more);
        if (failing) throw new Error("away");
        return { minute: 0, calls: 10 + told.reduce((sum, one) => sum + one, 0) };
      });
    expect(await count()).toMatchObject({ calls: 1 });
    expect(await count()).toMatchObject({ calls: 12 });
    await count(true);
    expect(await count(true)).toMatchObject({ calls: 14 });
    for (let n = 0; n < 40; n++) await count();
    expect(await count()).toMatchObject({ calls: 55 });
    expect(told).toEqual(new Array(11).fill(2));
  });

  it("are those at all processes together", async () => {
    const store = await startStore("embedded");
    const namespace = newNamespace();
    const limit = 12;
    const houses = await Promise.all(
      [0, 1, 2].map(() =>
        openFaultHouse(store.url, namespace, undefined, {
          LLM_MAILBOX_MAX_CALLS_PER_MINUTE: String(limit),
        }),
      ),
    );
    const minute = (): number => Math.floor(Date.now() / 60_000);
    let began = -1;
    for (let tries = 0; began !== minute(); tries++) {
      began = minute();
      const callers = await Promise.all(houses.map((house) => Agent.begin(house, `spread${tries}`)));
      const outcomes: string[] = [];
      for (let n = 0; n < 2 * limit; n++) {
        const { house, caller } = callers[n % callers.length]!;
        outcomes.push(
          await house.rooms.agents.myStatus(caller, {}).then(
            () => "answered",
            (error: MailboxError) => error.code,
          ),
        );
      }
      if (began === minute())
        expect(outcomes).toEqual([
          ...new Array(limit).fill("answered"),
          ...new Array(limit).fill("mailbox.rate_limited"),
        ]);
    }
    await Promise.all(houses.map((house) => house.close()));
    await store.stop();
  });

  it("are so many and not one more, whatever sessions, transports, headers and connections they come by", async () => {
    const store = await startStore("embedded");
    const limit = 12;
    const house = await openFaultHouse(store.url, undefined, undefined, {
      LLM_MAILBOX_MAX_CALLS_PER_MINUTE: String(limit),
    });
    const service = await serveHttp(house.rooms, {
      namespace: house.config.namespace,
      version: "0",
      log: noLog,
      port: 0,
    });
    const minute = (): number => Math.floor(Date.now() / 60_000);
    // Again where a minute ended meanwhile.
    for (let tries = 0, began = -1; began !== minute(); tries++) {
      began = minute();
      await spend(service.url, `eager${tries}`, limit, () => began === minute());
    }
    const calm = await ask(`${service.url}/mcp?agent=calm`, modernCall(1, "my_status"));
    expect(textIn(calm.body)).toContain("you are calm");
    await service.close();
    await house.close();
    await store.stop();
  });
});

/** Makes all the calls of a minute by every way there is, and one more. */
async function spend(url: string, agent: string, limit: number, counts: () => boolean): Promise<void> {
  const at = `${url}/mcp?agent=${agent}`;
  const session = await openSession(at);
  const sse = await SseClient.open(url, agent);
  let id = 10;
  const modern = (): Asked => {
    const { headers, ...call } = modernCall(id++, "my_status");
    return { ...call, headers: { ...headers, "x-forwarded-for": String(id) } };
  };
  const ways = [
    () => ask(at, { headers: session, body: toolCall(id++, "my_status") }),
    async () => ask(at, { headers: await openSession(at), body: toolCall(id++, "my_status") }),
    () => ask(at, modern()),
    async () => {
      const own = id++;
      await sse.post(toolCall(own, "my_status"));
      return { body: await sse.answer(own) };
    },
  ];
  const answers: string[] = [];
  for (let n = 0; n <= limit; n++) answers.push(textIn((await ways[n % ways.length]!()).body));
  const read = await ask(at, {
    headers: session,
    body: message(1, "resources/read", { uri: "mailbox://topics" }),
  });
  sse.stream.cut();
  if (!counts()) return;
  for (const answer of answers.slice(0, limit)) expect(answer).toContain(`you are ${agent}`);
  expect(answers[limit]).toMatch(/^mailbox\.rate_limited: more than 12 calls in a minute/);
  expect(read.body).toContain("mailbox.rate_limited");
}
