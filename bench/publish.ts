import { type Measurement, times, us } from "./finding.js";
import { callerNamed, openRooms } from "./in-process.js";
import { atMost, cpuUsOf, inTurn, percentile, ratios, spread } from "./measure.js";

const raised = {
  LLM_MAILBOX_MAX_SENDS_PER_MINUTE: "1000000",
  LLM_MAILBOX_MAX_CALLS_PER_MINUTE: "1000000",
};

/** What publishing costs with many subscribers, against one. */
export const publish: Measurement = {
  name: "publish",
  raised,
  async measure(store, { quick, tell }) {
    const many = quick ? 500 : 10_000;
    const [rounds, perRound] = quick ? [3, 50] : [15, 100];
    const house = await openRooms(store, raised);
    const publisher = callerNamed("publisher");
    const { mail, topics } = house.rooms;
    const from = Date.now();
    await topics.subscribeTopic(callerNamed("follower0"), { topic: "one.news" });
    await atMost(16, many, (n) =>
      house.topics.subscribeTopic(callerNamed(`follower${n}`), { topic: "many.news" }),
    );
    tell(`  ${many} subscriptions took ${((Date.now() - from) / 1000).toFixed(1)} s`);

    let published = 0;
    const cost = { one: [] as number[], many: [] as number[] };
    const cpu = { one: [] as number[], many: [] as number[] };
    const part = (topic: "one" | "many") => async (round: number) => {
      const lasted: number[] = [];
      const before = process.cpuUsage();
      const theirs = cpuUsOf(store.pid);
      for (let n = 0; n < perRound; n++) {
        const start = performance.now();
        await mail.sendMessage(publisher, { to: [`topic:${topic}.news`], body: `News ${published++}` });
        lasted.push((performance.now() - start) * 1000);
      }
      if (round < 2) return;
      const own = process.cpuUsage(before);
      cost[topic].push(percentile(lasted, 0.5));
      cpu[topic].push((own.user + own.system + cpuUsOf(store.pid) - theirs) / perRound);
    };
    await inTurn(rounds + 2, [part("one"), part("many")]);
    await house.close();
    const ratio = ratios(cost.many, cost.one);
    return [
      {
        what: `Publishing to a topic with ${many} subscribers, against one subscriber (time per publish)`,
        store: store.name,
        value: times(ratio),
        aim: "≤ 1.1",
        met: ratio.median <= 1.1,
        beside: [
          `${us(spread(cost.many).median)} against ${us(spread(cost.one).median)}`,
          `CPU of server and store ${us(spread(cpu.many).median)} against ${us(spread(cpu.one).median)}, ${times(ratios(cpu.many, cpu.one))}`,
        ].join("; "),
      },
    ];
  },
};
