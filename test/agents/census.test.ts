import { expect, it } from "vitest";
import { Directory } from "../../src/agents/index.js";
import { openMail } from "../mailbox/open-mail.js";
import { describeOnEachStore } from "../stores/index.js";

describeOnEachStore("who is here", (store) => {
  it("counts living runs and their processes, and runs whose end nobody has noted as gone", async () => {
    const office = await openMail(store().url);
    try {
      const [alice, again, bob] = [
        await office.as("alice"),
        await office.as("alice"),
        await office.as("bob"),
      ];
      const first = await office.runs.census();
      expect([...first.living].sort()).toEqual([alice, again, bob].map(({ caller }) => caller.run.id).sort());
      expect(first).toMatchObject({ gone: [], processes: 1 });

      // A run of a process that never beat, as after a crash that nobody has swept up yet.
      const key = `{${office.namespace}:dir}:runs`;
      await office.store.command("HSET", key, "carol/crashed", "no-such-process|1");
      await office.runs.end(bob.caller);
      const later = await office.runs.census();
      expect(later.gone).toEqual(["carol/crashed"]);
      expect(later.living).not.toContain(bob.caller.run.id);
      expect([...(await office.runs.online())]).toEqual(["alice"]);
    } finally {
      await office.close();
    }
  });

  it("knows names that were written to and that nobody has claimed, until somebody does", async () => {
    const office = await openMail(store().url);
    try {
      const directory = new Directory(office.store, 100);
      const alice = await office.as("alice");
      await alice.send("somebody-new", "hello");
      expect([...(await directory.unclaimed(office.namespace))]).toEqual([["somebody-new", "alice"]]);
      await office.as("somebody-new");
      expect([...(await directory.unclaimed(office.namespace))]).toEqual([]);
    } finally {
      await office.close();
    }
  });
});
