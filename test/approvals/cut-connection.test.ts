import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linkApproval } from "../../src/approvals/index.js";
import { StoreProxy } from "../faults/store-proxy.js";
import { type StoreName, startStore, type TestStore } from "../stores/index.js";
import { ApprovalDesk } from "./approval-desk.js";

interface Call {
  readonly name: string;
  /** Answers what the call needs; an id or a token. */
  readonly prepare?: (desk: ApprovalDesk) => Promise<string>;
  readonly make: (desk: ApprovalDesk, given: string) => Promise<unknown>;
  /** The state the request is left in, and the rows of what was done. */
  readonly state: string;
  readonly rows: readonly string[];
}

const asked = async (desk: ApprovalDesk): Promise<string> => (await desk.ask()).id;
const approved = async (desk: ApprovalDesk): Promise<string> => {
  const id = await asked(desk);
  await desk.decide(id, "approve");
  return id;
};
const linked = async (desk: ApprovalDesk): Promise<string> => {
  await desk.house.tokens.setRoles(desk.operator(), "carol", ["approver"]);
  return (await linkApproval(desk.house.approvals, desk.operator(), await asked(desk), "carol")).token;
};
const [open, decide, use] = ["approval.open", "approval.decide", "approval.use"];

const calls: readonly Call[] = [
  { name: "opening", make: (desk) => desk.ask(), state: "pending", rows: [open!] },
  {
    ...{ name: "approving", prepare: asked, state: "approved", rows: [open!, decide!] },
    make: (desk, id) => desk.decide(id, "approve"),
  },
  {
    ...{ name: "editing", prepare: asked, state: "approved", rows: [open!, decide!] },
    make: (desk, id) => desk.decide(id, "edit", { arguments: { path: "/b" }, idempotency_key: "k" }),
  },
  {
    ...{ name: "rejecting", prepare: asked, state: "rejected", rows: [open!, decide!] },
    make: (desk, id) => desk.decide(id, "reject"),
  },
  {
    ...{ name: "deciding by a link", prepare: linked, state: "approved" },
    rows: [open!, "approval.link", decide!],
    make: (desk, token) => desk.house.rooms.approvalLinks.decide(token, { decision: "approve" }),
  },
  {
    ...{ name: "using", prepare: approved, state: "used", rows: [open!, decide!, use!] },
    make: async (desk) => expect(await desk.use("op")).toMatchObject({ approvedBy: ["carol"] }),
  },
];

const storesUnderFault: readonly StoreName[] = ["embedded", "redis-server"];

describe.each(storesUnderFault)(
  "the connection to the store (%s) cut at each command of approvals",
  (name) => {
    let store: TestStore;
    beforeAll(async () => {
      store = await startStore(name);
    });
    afterAll(() => store?.stop());

    it.each(calls)("leaves $name done once, with one row", async ({ prepare, make, state, rows }) => {
      let cuts = 0;
      for (const when of ["before", "after"] as const)
        for (let nth = 1; ; nth++) {
          const proxy = await StoreProxy.before(store.url);
          const desk = await ApprovalDesk.open(proxy.url);
          try {
            const given = (await prepare?.(desk)) ?? "";
            void proxy.arm({ nth, when });
            await make(desk, given);
            const { hasCut } = proxy;
            proxy.heal();
            const all = (await desk.rows()).map((row) => row.split(" "));
            expect(all.map(([, action]) => action).sort(), `${when} ${nth}`).toEqual([...rows].sort());
            const id = all[0]![2]!.replace("approval:", "");
            expect((await desk.wait(id)).state).toBe(state);
            if (!hasCut) break;
            cuts += 1;
          } finally {
            await desk.close();
            await proxy.close();
          }
        }
      expect(cuts).toBeGreaterThanOrEqual(2);
    });
  },
);
