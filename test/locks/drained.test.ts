import { expect, it } from "vitest";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { type Asked, ask, modernCall, openSession, textIn, toolCall } from "../http/raw-http.js";
import { noLog } from "../mcp/support.js";
import { describeOnEachStore } from "../stores/index.js";
import { openLocks } from "./open-locks.js";

describeOnEachStore("a server that stops", (store) => {
  it("answers who waits for a lock, in either era, as if the time were over: with its ticket", async () => {
    const here = await openLocks(store().url);
    const there = await openLocks(store().url, {}, here.namespace);
    const service: HttpService = await serveHttp(there.house.rooms, {
      ...{ namespace: here.namespace, version: "0", log: noLog, port: 0 },
    });
    const holder = await here.as("holder");
    await holder.acquire("x");
    const url = `${service.url}/mcp?agent=`;
    const wait = { resources: ["x"], wait_seconds: 40 };
    const headers = await openSession(`${url}anna`);
    const asked: readonly (readonly [agent: string, asked: Asked])[] = [
      ["anna", { headers, body: toolCall(1, "acquire_lock", wait) }],
      ["berta", modernCall(1, "acquire_lock", wait)],
    ];
    const waits = asked.map(([agent, one]) => ask(`${url}${agent}`, one));
    await expect.poll(async () => (await holder.list("x")).waiters.length).toBe(2);
    const from = Date.now();
    const closing = service.close();
    for (const answer of await Promise.all(waits)) {
      expect(answer.status).toBe(200);
      // The seconds that it waited, not those it would have.
      expect(textIn(answer.body)).toMatch(/^not yours yet( after \d s)?: place [12], ticket lk-\w{12}\n/);
    }
    expect(Date.now() - from).toBeLessThan(3_000);
    await closing;
    await there.close();
    await here.close();
  });
});
