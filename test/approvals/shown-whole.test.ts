import { afterEach, expect, it } from "vitest";
import {
  attendApprovals,
  decideApproval as decide,
  decideByClient,
  formText,
  getApproval,
  requestText,
} from "../../src/approvals/index.js";
import { pageOfRequest } from "../../src/approvals/page-of-request.js";
import { type Part, renderReply } from "../../src/mcp/reply.js";
import { decideApproval } from "../../src/mcp/tools/decide-approval.js";
import { describeOnEachStore } from "../stores/index.js";
import { ApprovalDesk } from "./approval-desk.js";

describeOnEachStore("a request too long for one reply", (store) => {
  const desks: ApprovalDesk[] = [];
  afterEach(() => Promise.all(desks.splice(0).map((desk) => desk.close())));
  const open = async (limits = {}): Promise<ApprovalDesk> => {
    const desk = await ApprovalDesk.open(store().url, limits);
    desks.push(desk);
    return desk;
  };
  // Some of it takes more room once it is shown.
  const long = { path: `${"a b\u202e".repeat(1_500)}\u{1f600}${"c".repeat(9_000)}` };

  it("is approved by a tool or by mail only by whoever has read it to its end, and rejected by anybody", async () => {
    const desk = await open();
    const { approvals } = desk.house;
    const [carol, dan] = [desk.approver("carol"), desk.approver("dan")];
    const told: string[] = [];
    Object.assign(approvals.deps, {
      notify: async (_: string, to: string, { body }: { body: string }) => told.push(body) && `m-${to}`,
    });
    await desk.ask({}, { approvers: ["carol"] });
    const { id } = await desk.ask(
      { arguments: long },
      { quorum: 2, approvers: ["carol", "dan"], byClient: true },
    );
    expect(told.map((body) => body.includes("read it to its end with decide_approval"))).toEqual([
      ...[false, true, true],
    ]);
    const code = (call: Promise<unknown>): Promise<string> =>
      call.then(
        () => "done",
        (error: Error) => error.message,
      );
    for (const way of ["tool", "mail"] as const)
      for (const decision of ["approve", "edit"] as const) {
        const more = decision === "edit" ? { arguments: { path: "/b" } } : {};
        expect(await code(decide(approvals, carol, { approval_id: id, decision, ...more }, way))).toMatch(
          new RegExp(`^approval\\.not_shown: .*approval_id ${id} and offset 0 until .*approvals show ${id}`),
        );
      }
    const read: string[] = [];
    const look = async (offset?: number, by = carol) => {
      const seen = await attendApprovals(approvals, by, {
        approval_id: id,
        ...(offset === undefined ? {} : { offset }),
      });
      const text = renderReply(decideApproval.say(seen as never, {} as never) as readonly Part[])
        .map((block) => block.text)
        .join("\n");
      expect(text).not.toContain("[cut here");
      expect(text.length).toBeLessThan(12_000);
      const { end, length } = seen.page!;
      expect(text.includes(`and offset ${end}`)).toBe(end < length);
      return seen;
    };
    const { approval, page: first } = await look();
    const whole = requestText(approval!);
    read.push(whole.slice(0, first!.end));
    for (const pad of ["", "x"]) {
      const faces = { ...approval!, arguments: { t: pad + "\u{1f600}".repeat(6_000) } };
      const { end } = pageOfRequest(faces);
      expect(encodeURIComponent(requestText(faces).slice(0, end)).length).toBeGreaterThan(end);
    }
    // Whoever leaves something out has not read it.
    await look(whole.length - 10);
    const middle = await look(first!.end + 1);
    expect(await code(desk.decide(id, "approve"))).toContain(`offset ${first!.end} `);
    expect(middle.page!.offset).toBe(first!.end + 1);
    for (let offset = first!.end; offset < whole.length; ) {
      const { page } = await look(offset);
      read.push(whole.slice(page!.offset, page!.end));
      offset = page!.end;
    }
    expect(read.length).toBeGreaterThan(2);
    expect(read.join("")).toBe(whole);
    for (const part of read) expect(encodeURIComponent(part)).not.toBe("");
    expect(await code(desk.decide(id, "approve"))).toBe("done");
    // What one of them read, another did not; and what shows it whole needs nothing.
    expect(await code(desk.decide(id, "approve", {}, dan))).toMatch(/^approval\.not_shown/);
    expect(await code(decide(approvals, dan, { approval_id: id, decision: "approve" }, "http"))).toBe("done");
    expect((await desk.wait(id)).state).toBe("approved");
    const other = await desk.ask({ arguments: { ...long, n: 2 } }, { byClient: true });
    const byClient = (decision: "approve" | "reject") =>
      decideByClient(approvals, desk.caller("alice"), { approval_id: other.id, decision });
    expect(await code(byClient("approve"))).toMatch(/^approval\.client_not_counted/);
    const mail = { approval_id: other.id, decision: "reject" } as const;
    expect(await code(decide(approvals, carol, mail, "mail"))).toBe("done");
    expect(await code(byClient("reject"))).toMatch(/^approval\.ended/);
    // A form says a little more than a mail: what is too long for it alone was not shown on it.
    const ofLength = async (length: number) => {
      const { id: own } = await desk.ask({ arguments: { path: "a".repeat(length) } }, { byClient: true });
      return getApproval(approvals, desk.operator(), own);
    };
    const most = 8_010 - formText(await ofLength(10))!.length;
    for (const [length, answer] of [
      [most, /^done/],
      [most + 1, /^approval\.client_not_counted/],
    ] as const) {
      const approval = await ofLength(length);
      expect(requestText(approval).length).toBeLessThan(8_000);
      const approve = { approval_id: approval.id, decision: "approve" } as const;
      expect(await code(decideByClient(approvals, desk.caller("alice"), approve))).toMatch(answer);
    }
    await expect(
      attendApprovals(approvals, carol, { approval_id: id, decision: "approve", offset: 1 }),
    ).rejects.toThrow(/^input\.invalid: offset/);
  });

  it("is forgotten with all that was noted of who has read it", async () => {
    const desk = await open({ keepMs: 300 });
    const { id } = await desk.ask({ arguments: long });
    await attendApprovals(desk.house.approvals, desk.approver("carol"), { approval_id: id });
    const { store: own } = desk.house;
    const notices = `{${desk.namespace}:ap}:notices`;
    expect(await own.command("HGET", notices, `%${id}`)).toMatch(/^carol:\d+$/);
    const until = Date.now() + 10_000;
    while ((await own.command("HLEN", notices)) !== 0 && Date.now() < until) await desk.sweep();
    expect(await own.command("HLEN", notices)).toBe(0);
  });
});
