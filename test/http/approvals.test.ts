import { afterEach, expect, it } from "vitest";
import { type ApprovalLink, linkApproval } from "../../src/approvals/index.js";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { changeGrants } from "../agents/change-grants.js";
import { ApprovalDesk } from "../approvals/approval-desk.js";
import { noLog } from "../mcp/support.js";
import { describeOnEachStore } from "../stores/index.js";
import { type Answer, ask } from "./raw-http.js";

describeOnEachStore("approvals over HTTP", (store) => {
  const opened: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
  });
  const serve = async (desk: ApprovalDesk): Promise<HttpService> => {
    const service = await serveHttp(desk.house.rooms, {
      ...{ namespace: desk.namespace, version: "0", log: noLog, port: 0 },
    });
    opened.push(service);
    return service;
  };
  const open = async (limits = {}): Promise<{ readonly desk: ApprovalDesk; readonly url: string }> => {
    const desk = await ApprovalDesk.open(store().url, limits);
    opened.push(desk);
    return { desk, url: (await serve(desk)).url };
  };
  /** A program of an agent, which shows its token. */
  const programOf = (url: string, token: string) => {
    const authorization = `Bearer ${token}`;
    return {
      get: (path: string): Promise<Answer> => ask(`${url}${path}`, { headers: { authorization } }),
      post: (path: string, body: object | string, headers = {}): Promise<Answer> =>
        ask(`${url}${path}`, {
          headers: { authorization, "content-type": "application/json", ...headers },
          body: typeof body === "string" ? body : JSON.stringify(body),
        }),
    };
  };
  const issue = (desk: ApprovalDesk, agent: string, role: "agent" | "approver" = "approver") =>
    desk.house.tokens.issue(desk.operator(), agent, {}, [role]);
  /** A request of an agent that showed its token; where there are tokens, a name alone is not believed. */
  const asked = async (desk: ApprovalDesk, more = {}, terms = {}): Promise<string> => {
    const { token } = await issue(desk, "alice", "agent");
    const principal = await desk.house.tokens.verify(token);
    return (await desk.ask(more, terms, { ...desk.caller("alice"), principal })).id;
  };
  const codeOf = ({ status, body }: Answer): string =>
    `${status} ${(JSON.parse(body) as { error: { code?: string } }).error.code ?? ""}`;

  it("are listed, shown and decided with the token of an approver, recorded as http", async () => {
    const { desk, url } = await open();
    const carol = await issue(desk, "carol");
    const program = programOf(url, carol.token);
    const id = await asked(desk);
    const list = await program.get("/approvals");
    expect(list.headers["cache-control"]).toBe("no-store");
    expect(JSON.parse(list.body)).toMatchObject({ approvals: [{ id, agent: "alice", state: "pending" }] });
    const shown = await program.get(`/approvals/${id}`);
    expect(JSON.parse(shown.body)).toMatchObject({ id, arguments: { path: "/prod/a" }, why: "it is old" });
    const decided = await program.post(`/approvals/${id}`, { decision: "approve", comment: "go on" });
    expect([decided.status, JSON.parse(decided.body)]).toMatchObject([
      200,
      {
        approval: {
          state: "approved",
          votes: [{ by: "carol", way: "http", verified: true, comment: "go on" }],
        },
      },
    ]);
    expect(await desk.rows()).toEqual([
      `alice approval.open approval:${id} allow rules destructive`,
      "carol approval.read * allow role approver",
      "carol approval.read * allow role approver",
      `carol approval.decide approval:${id} allow role approver: approve by http`,
    ]);
  });

  it("are decided with other arguments, rejected and answered", async () => {
    const { desk, url } = await open();
    const program = programOf(url, (await issue(desk, "carol")).token);
    const decide = async (resource: string, body: object) => {
      const id = await asked(desk, { resource });
      return (JSON.parse((await program.post(`/approvals/${id}`, body)).body) as { approval: object })
        .approval;
    };
    expect(await decide("1", { decision: "edit", arguments: { path: "/b" } })).toMatchObject({
      ...{ state: "approved", edited_arguments: { path: "/b" } },
    });
    expect(await decide("2", { decision: "reject" })).toMatchObject({ state: "rejected" });
    expect(await decide("3", { decision: "answer", comment: "why?" })).toMatchObject({ answer: "why?" });
  });

  it("are refused to whoever has no token, a revoked one, no right, or asked for it", async () => {
    const { desk, url } = await open();
    const [carol, dan] = [await issue(desk, "carol"), await issue(desk, "dan", "agent")];
    const id = await asked(desk);
    const alice = await issue(desk, "alice", "agent");
    await desk.house.tokens.setRoles(desk.operator(), "alice", ["agent", "approver"]);
    const bare = await ask(`${url}/approvals`);
    expect([bare.status, bare.headers["www-authenticate"]]).toEqual([
      401,
      expect.stringContaining("Bearer "),
    ]);
    expect(codeOf(bare)).toBe("401 auth.required");
    const approve = { decision: "approve" };
    expect(codeOf(await programOf(url, "no-token").get("/approvals"))).toBe("401 auth.invalid");
    expect(codeOf(await programOf(url, dan.token).get("/approvals"))).toBe("403 access.denied");
    expect(codeOf(await programOf(url, dan.token).get(`/approvals/${id}`))).toBe("403 access.denied");
    expect(codeOf(await programOf(url, dan.token).post(`/approvals/${id}`, approve))).toBe(
      "403 access.denied",
    );
    expect(codeOf(await programOf(url, alice.token).post(`/approvals/${id}`, approve))).toBe(
      "403 approval.own",
    );
    const program = programOf(url, carol.token);
    expect(codeOf(await program.get("/approvals/ap-000000000000"))).toBe("404 approval.unknown");
    for (const body of [
      "",
      "{",
      "[]",
      { decision: "perhaps" },
      { decision: "edit" },
      { decision: "approve", x: 1 },
    ])
      expect(codeOf(await program.post(`/approvals/${id}`, body)), JSON.stringify(body)).toBe(
        "400 input.invalid",
      );
    const plain = await program.post(`/approvals/${id}`, approve, { "content-type": "text/plain" });
    expect(plain.status).toBe(415);
    const origin = await program.post(`/approvals/${id}`, approve, { origin: "https://example.org" });
    expect(origin.status).toBe(403);
    const host = await program.post(`/approvals/${id}`, approve, { host: "example.org" });
    expect(host.status).toBe(403);
    await desk.house.tokens.revoke(desk.operator(), carol.id);
    expect(codeOf(await program.post(`/approvals/${id}`, approve))).toBe("401 auth.invalid");
    await desk.decide(id, "reject", {}, desk.operator());
    const erin = programOf(url, (await issue(desk, "erin")).token);
    expect(codeOf(await erin.post(`/approvals/${id}`, approve))).toBe("409 approval.ended");
  });

  /** What a browser sends when a button of the page is pressed. */
  const press = (url: string, token: string, fields: Record<string, string>, headers = {}): Promise<Answer> =>
    ask(`${url}/a/${token}`, {
      headers: { "content-type": "application/x-www-form-urlencoded", origin: url, ...headers },
      body: new URLSearchParams(fields).toString(),
    });
  const link = (desk: ApprovalDesk, id: string, agent = "carol"): Promise<ApprovalLink> =>
    linkApproval(desk.house.approvals, desk.operator(), id, agent);
  const withCarol = async (limits = {}) => {
    const { desk, url } = await open(limits);
    await desk.house.tokens.setRoles(desk.operator(), "carol", ["approver"]);
    return { desk, url };
  };

  it("show a page for a signed link, which decides nothing however often it is opened", async () => {
    const { desk, url } = await withCarol();
    const { id } = await desk.ask({ arguments: { path: "</pre><script>alert(1)</script>\u202e\u0007" } });
    const { token } = await link(desk, id);
    const before = await desk.image();
    for (let n = 0; n < 3; n++) {
      const page = await ask(`${url}/a/${token}`);
      expect(page.status).toBe(200);
      expect(page.headers).toMatchObject({
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "x-robots-tag": "noindex, nofollow",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
      });
      expect(page.headers["content-security-policy"]).toMatch(
        /^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
      );
      expect(page.body).toContain("You decide as <strong>carol</strong>");
      for (const part of ["<script", "\u202e", "\u0007"]) expect(page.body).not.toContain(part);
      expect(page.body).toContain("&#60;/pre&#62;&#60;script&#62;alert(1)");
      expect(page.body).toContain("\\u{202e}");
    }
    expect((await ask(`${url}/a/${token}`, { method: "HEAD" })).status).toBe(405);
    expect(await desk.image()).toEqual(before);
    expect((await desk.wait(id)).state).toBe("pending");
  });

  it("are decided once by the form of a link, also after a restart, recorded as what it was", async () => {
    const { desk, url: first } = await withCarol();
    const { id } = await desk.ask();
    const { token } = await link(desk, id);
    expect((await ask(`${first}/a/${token}`)).status).toBe(200);
    const again = await desk.again();
    opened.push(again);
    const { url } = await serve(again);
    const done = await press(url, token, { comment: "fine", decision: "approve" });
    expect([done.status, done.body]).toEqual([200, expect.stringContaining("<strong>approved</strong>")]);
    for (const answer of [await press(url, token, { decision: "reject" }), await ask(`${url}/a/${token}`)])
      expect([answer.status, answer.body]).toEqual([410, expect.stringContaining("it was used")]);
    const { votes } = await desk.wait(id);
    expect(votes).toMatchObject([{ by: "carol", way: "link", decision: "approve", comment: "fine" }]);
    expect((await desk.rows()).filter((row) => /link/.test(row))).toEqual([
      `operator approval.link approval:${id} allow for carol`,
      `carol approval.read approval:${id} allow a link of the operator`,
      `carol approval.decide approval:${id} allow a link of the operator: approve by link`,
      ` approval.decide approval:${id} refuse approval.link_void`,
      ` approval.read approval:${id} refuse approval.link_void`,
    ]);
    expect(await desk.use("op")).toMatchObject({ approvedBy: ["carol"] });
  });

  it("take other arguments from the page, as the page gave them and as its reader changed them", async () => {
    const { desk, url } = await withCarol();
    const hostile = { path: "a\u202eb</textarea>\u{e0041}\n" };
    const { id } = await desk.ask({ arguments: hostile });
    const { token } = await link(desk, id);
    const { body } = await ask(`${url}/a/${token}`);
    const given = /name="arguments" rows="8">\n([\s\S]*?)<\/textarea>/.exec(body)![1]!;
    const text = given.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
    expect(JSON.parse(text)).toEqual(hostile);
    const bad = await press(url, token, { decision: "edit", arguments: "{", comment: "" });
    expect([bad.status, bad.body]).toEqual([400, expect.stringContaining("one JSON object")]);
    const done = await press(url, token, { decision: "edit", arguments: '{"path":\r\n"/tmp"}', comment: "" });
    expect(done.status).toBe(200);
    expect((await desk.wait(id)).edited_arguments).toEqual({ path: "/tmp" });
  });

  it("are decided exactly once when a form is sent 16 times at once", async () => {
    const { desk, url } = await withCarol();
    const { id } = await desk.ask({}, { quorum: 2 });
    const { token } = await link(desk, id);
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, n) => press(url, token, { decision: n % 2 ? "approve" : "reject" })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 410)).toHaveLength(15);
    expect((await desk.wait(id)).votes).toHaveLength(1);
  });

  it("know no link but those that were signed here, for this request, name, time and namespace", async () => {
    const { desk, url } = await withCarol();
    const { id } = await desk.ask();
    const { token } = await link(desk, id);
    const [ap, name, expires, nonce, mac] = token.split("~");
    const other = await ApprovalDesk.open(store().url);
    opened.push(other);
    await other.house.tokens.setRoles(other.operator(), "carol", ["approver"]);
    const forged = [
      "x",
      [ap, "dan", expires, nonce, mac].join("~"),
      ["ap-000000000000", name, expires, nonce, mac].join("~"),
      [ap, name, (Number.parseInt(expires!, 36) + 1).toString(36), nonce, mac].join("~"),
      [ap, name, expires, `${nonce!.slice(1)}A`, mac].join("~"),
      [ap, name, expires, nonce, `${mac!.slice(1)}A`].join("~"),
      (await link(other, (await other.ask()).id)).token,
    ];
    for (const one of forged) {
      expect((await ask(`${url}/a/${one}`)).status).toBe(410);
      const sent = await press(url, one, { decision: "approve" });
      expect([sent.status, sent.body]).toEqual([410, expect.stringContaining("none of ours")]);
    }
    expect((await desk.wait(id)).votes).toEqual([]);
  });

  it("are not decided by a link that is over, whose approver lost the right, or whose request ended", async () => {
    const { desk, url } = await withCarol({ linkMs: 150 });
    const { id } = await desk.ask();
    const over = await link(desk, id);
    await desk.wait(id, { waitMs: 200 });
    const late = await press(url, over.token, { decision: "approve" });
    expect([late.status, late.body]).toEqual([410, expect.stringContaining("its time is over")]);

    const { desk: second, url: at } = await withCarol();
    const ended = await second.ask({ resource: "1" });
    const [lost, stale] = [await second.ask({ resource: "2" }), await link(second, ended.id)];
    const losing = await link(second, lost.id);
    await second.decide(ended.id, "reject", {}, second.operator());
    expect((await press(at, stale.token, { decision: "approve" })).body).toContain(
      "what it was about is rejected",
    );
    await changeGrants(second.house.access, second.namespace, ["deny", "carol", "approval.decide", "*"]);
    const answer = await press(at, losing.token, { decision: "approve" });
    expect([answer.status, answer.body]).toEqual([410, expect.stringContaining("carol may not decide this")]);
    expect((await ask(`${at}/a/${losing.token}`)).status).toBe(410);
    expect((await second.wait(lost.id)).votes).toEqual([]);
    expect((await second.rows()).filter((row) => / refuse approval\.link_void$/.test(row))).toEqual([
      ` approval.decide approval:${ended.id} refuse approval.link_void`,
      ` approval.decide approval:${lost.id} refuse approval.link_void`,
      ` approval.read approval:${lost.id} refuse approval.link_void`,
    ]);
  });

  it("leave one row each time a link is opened or its form is sent, whatever comes of it", async () => {
    const { desk, url } = await withCarol();
    const { id } = await desk.ask({ arguments: { path: "a" } });
    const { token } = await link(desk, id);
    const looked = `carol approval.read approval:${id} allow a link of the operator`;
    const ways: readonly (readonly [make: () => Promise<Answer>, status: number, row: string])[] = [
      [() => ask(`${url}/a/${token}`), 200, looked],
      [() => ask(`${url}/a/x`), 410, " approval.read * refuse approval.link_void"],
      [() => press(url, token, { comment: "no button" }), 400, looked],
      [
        () => press(url, token, { decision: "edit", arguments: "{" }),
        400,
        ` approval.decide approval:${id} refuse input.invalid`,
      ],
      [() => press(url, "x", { decision: "approve" }), 410, " approval.decide * refuse approval.link_void"],
    ];
    for (const [make, status, row] of ways) {
      const before = (await desk.rows()).length;
      expect((await make()).status).toBe(status);
      expect((await desk.rows()).slice(before)).toEqual([row]);
    }
  });

  it("show a link so often in a minute, and other links then as well", async () => {
    const { desk } = await withCarol();
    const service = await serveHttp(desk.house.rooms, {
      ...{ namespace: desk.namespace, version: "0", log: noLog, port: 0, limits: { requestsPerMinute: 3 } },
    });
    opened.push(service);
    const [one, two] = [await desk.ask({ resource: "1" }), await desk.ask({ resource: "2" })];
    const [first, second] = [await link(desk, one.id), await link(desk, two.id)];
    const look = ({ token }: ApprovalLink): Promise<Answer> => ask(`${service.url}/a/${token}`);
    let last = await look(first);
    // A minute that ends meanwhile begins to count anew.
    for (let n = 0; n < 8 && last.status === 200; n++) last = await look(first);
    expect([last.status, last.body]).toEqual([429, expect.stringContaining("opened too often")]);
    expect(Number(last.headers["retry-after"])).toBeGreaterThan(0);
    expect((await look(second)).status).toBe(200);
    const rows = (await desk.rows()).filter((row) => row.includes(`approval.read approval:${one.id}`));
    expect(rows.length).toBeLessThanOrEqual(8);
  });

  it("take the form of a link from its own page alone", async () => {
    const { desk, url } = await withCarol();
    const { id } = await desk.ask();
    const { token } = await link(desk, id);
    for (const origin of ["https://example.org", "null", "http://localhost:1"])
      expect((await press(url, token, { decision: "approve" }, { origin })).status).toBe(403);
    const typed = await press(url, token, { decision: "approve" }, { "content-type": "application/json" });
    expect(typed.status).toBe(415);
    expect((await press(url, token, {})).status).toBe(400);
    expect((await desk.wait(id)).votes).toEqual([]);
  });

  it("have links for approvers alone, made by those who may issue tokens", async () => {
    const { desk } = await withCarol();
    const { id } = await desk.ask();
    for (const agent of ["alice", "dan"])
      await expect(link(desk, id, agent)).rejects.toThrow(/^approval\.no_link_for/);
    await expect(linkApproval(desk.house.approvals, desk.approver("carol"), id, "carol")).rejects.toThrow(
      /^access\.denied/,
    );
  });
});
