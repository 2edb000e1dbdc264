import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { linkApproval } from "../../src/approvals/index.js";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { ApprovalDesk } from "../approvals/approval-desk.js";
import { noLog } from "../mcp/support.js";
import { startStore, type TestStore } from "../stores/index.js";
import { describeInBrowser } from "./describe-in-browser.js";

/** Whatever a requester may write, it is text on the page; where one of these runs, the page has another title. */
const scripts = [
  '<script>document.title="ran"</script>',
  "</textarea></pre><img src=https://elsewhere.example/x onerror=\"document.title='ran'\">",
  '"><svg/onload=document.title="ran">',
];

describeInBrowser("the page of an approval link", (browser) => {
  const opened: { close(): Promise<unknown> }[] = [];
  let store: TestStore;
  let desk: ApprovalDesk;
  let service: HttpService;
  beforeAll(async () => {
    store = await startStore("embedded");
    desk = await ApprovalDesk.open(store.url);
    service = await serveHttp(desk.house.rooms, {
      ...{ namespace: desk.namespace, version: "0", log: noLog, port: 0 },
    });
    await desk.house.tokens.setRoles(desk.operator(), "carol", ["approver"]);
  });
  afterAll(async () => {
    for (const one of opened.splice(0)) await one.close();
    await service.close();
    await desk.close();
    await store.stop();
  });

  let asked = 0;
  /** A request and the address at which carol decides it. */
  const linked = async (more = {}, terms = {}): Promise<{ id: string; address: string }> => {
    asked += 1;
    const { id } = await desk.ask({ resource: `prod/${asked}`, ...more }, terms);
    const { token } = await linkApproval(desk.house.approvals, desk.operator(), id, "carol");
    return { id, address: `${service.url}/a/${token}` };
  };
  /** A tab of a browser that was never here, and what it asked of whom and complained about. */
  const tab = async (options: BrowserContextOptions = {}) => {
    const context = await browser().newContext(options);
    opened.push(context);
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    const [requests, complaints] = [new Set<string>(), [] as string[]];
    context.on("request", (request) => requests.add(new URL(request.url()).origin));
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    return { page, requests, complaints };
  };
  const text = (page: Page): Promise<string> => page.locator("body").innerText();
  const votesOn = async (id: string): Promise<string[]> =>
    (await desk.wait(id)).votes.map(({ decision, comment = "" }) => `${decision} ${comment}`.trim());
  const field = (page: Page, name: string) => page.getByRole("textbox", { name, exact: true });
  const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

  it("shows all of a request as text, runs nothing, asks nobody else, and fits light, dark and a telephone", async () => {
    const path = "x".repeat(10_000);
    const { id, address } = await linked({
      action: `file.delete ${scripts[0]}`,
      resource: `prod/\u202efdp.exe${scripts[1]}`,
      arguments: { path, [scripts[0]!]: scripts[1], rtl: "\u2067\u200f" },
      context: { cost: scripts[2] },
      rules: ["destructive"],
      reasons: [`a person decides ${scripts[2]}`],
      why: scripts.join("\n"),
      risk: "high",
    });
    for (const colorScheme of ["light", "dark"] as const) {
      const { page, requests, complaints } = await tab({
        colorScheme,
        viewport: { width: 320, height: 640 },
      });
      await page.goto(address);
      const shown = await text(page);
      for (const part of [
        ...["You decide as carol", id, "who:       alice", "rules:     destructive", "expires:   2"],
        ...["reason:    a person decides", "| risk:      high", "| context:", "| action:    file.delete"],
        ...["| resource:  prod/\\u{202e}fdp.exe", "\\u{2067}\\u{200f}", path, ...scripts],
      ])
        expect(shown.includes(part), part.slice(0, 80)).toBe(true);
      const said = await page.locator("pre.said").innerText();
      const ours = await page.locator("pre:not(.said)").allInnerTexts();
      expect(said.split("\n").filter((line) => !line.startsWith("|"))).toEqual([]);
      expect(
        ours
          .join("\n")
          .split("\n")
          .filter((line) => line.startsWith("|")),
      ).toEqual([]);
      expect(shown).not.toMatch(/[\u202e\u2067\u200f]/);
      expect(await page.title()).toBe(`Approval ${id}`);
      expect([[...requests], complaints]).toEqual([[service.url], []]);
      expect(await page.locator("html").getAttribute("lang")).toBe("en");
      for (const width of [320, 390, 1_280]) {
        await page.setViewportSize({ width, height: 640 });
        expect(await page.evaluate("document.documentElement.scrollWidth"), `${width} wide`).toBe(width);
      }
      for (const part of ["p", "pre", "textarea", "button"])
        expect(await contrastOf(page, part), `${part}, ${colorScheme}`).toBeGreaterThan(4.5);
      const [, red] = /rgba?\((\d+)/.exec(await colourOf(page, "body", "background-color"))!;
      expect(Number(red) > 127 ? "light" : "dark").toBe(colorScheme);
    }
    expect(await votesOn(id)).toEqual([]);
  });

  it("decides nothing when it is opened, prefetched, opened again or looked at in several tabs", async () => {
    const { id, address } = await linked();
    const before = await desk.image();
    const { page } = await tab();
    await page.goto(`${service.url}/healthz`);
    const fetched = page.waitForResponse(address);
    await page.evaluate(`{
      const link = document.createElement("link");
      link.rel = "prefetch";
      link.href = ${JSON.stringify(address)};
      document.head.append(link);
    }`);
    expect((await fetched).status()).toBe(200);
    for (const _ of [1, 2]) await page.goto(address);
    const second = await page.context().newPage();
    await second.goto(address);
    expect(await second.getByRole("button").count()).toBe(4);
    expect([await desk.image(), await votesOn(id)]).toEqual([before, []]);
  });

  it("approves once, and says so to a second tab, a reload that sends again, the way back and the link itself", async () => {
    const { id, address } = await linked();
    const { page, complaints } = await tab();
    const second = await page.context().newPage();
    await second.goto(address);
    await page.goto(address);
    await field(page, "Comment, or the answer").fill("go on");
    await button(page, "Approve").click();
    expect(await text(page)).toMatch(/It is approved\.[\s\S]*decides nothing any more/);
    const voted = ["approve go on"];
    const used =
      /Nothing was decided[\s\S]*it was used, and what it was about is approved; what was decided by it stands/;
    await page.reload();
    expect(await text(page)).toMatch(used);
    await page.goBack();
    if ((await button(page, "Approve").count()) > 0) await button(page, "Approve").click();
    expect(await text(page)).toMatch(used);
    await button(second, "Reject").click();
    expect(await text(second)).toMatch(used);
    await second.goto(address);
    expect(await text(second)).toMatch(used);
    expect(await second.getByRole("button").count()).toBe(0);
    expect(await votesOn(id)).toEqual(voted);
    // Chromium notes each status above 399 by itself.
    expect(complaints.filter((line) => !/status of 410/.test(line))).toEqual([]);
  });

  it("says what to do where a link is over, was cut, or its request was asked anew, expired or decided elsewhere", async () => {
    const { page } = await tab({ viewport: { width: 320, height: 640 } });
    const told = async (address: string, meanwhile?: () => Promise<unknown>): Promise<string> => {
      await page.goto(address);
      if (meanwhile) {
        await meanwhile();
        await button(page, "Approve").click();
      }
      expect(await page.title()).toBe("Nothing was decided");
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(320);
      return text(page);
    };
    const elsewhere = await linked();
    expect(
      await told(elsewhere.address, () => desk.decide(elsewhere.id, "reject", {}, desk.operator())),
    ).toMatch(/what it was about is rejected\. Where something is left to decide, ask/);
    const anew = await linked({ resource: "anew" });
    expect(await told(anew.address, () => desk.ask({ resource: "anew" }, { quorum: 2 }))).toMatch(
      /is void, as it was asked again in another way\./,
    );
    const expired = await linked({}, { expiresMs: 1_000 });
    await desk.wait(expired.id, { waitMs: 5_000 });
    expect(await told(expired.address)).toMatch(/is expired\./);
    const cut = await linked();
    expect(await told(cut.address.slice(0, -5))).toMatch(
      /it is not whole, or none of ours; copy it once more/,
    );
    const short = await ApprovalDesk.open(store.url, { linkMs: 50 }, desk.namespace);
    opened.push(short);
    const { id } = await short.ask({ resource: "short" });
    const { token } = await linkApproval(short.house.approvals, short.operator(), id, "carol");
    await short.wait(id, { waitMs: 60 });
    expect(await told(`${service.url}/a/${token}`)).toMatch(
      /its time is over\. .*ask the operator for a new/,
    );
  });

  it("works with the keyboard alone, and every control has a name", async () => {
    const { id, address } = await linked();
    const { page } = await tab();
    await page.goto(address);
    const names: string[] = [];
    const focused = async (): Promise<string> => {
      await page.keyboard.press("Tab");
      const label =
        "document.activeElement.labels?.[0]?.firstChild?.data ?? document.activeElement.innerText";
      return String(await page.evaluate(label)).trim();
    };
    for (let n = 0; n < 7; n++) names.push(await focused());
    expect(names).toEqual([
      ...["Comment, or the answer", "Approve", "Reject", "Answer"],
      ...["Or approve with other arguments, as JSON", "Comment", "Approve with these arguments"],
    ]);
    for (const name of names) {
      const named = page.getByRole(/pprove$|Reject|Answer$|these/.test(name) ? "button" : "textbox", {
        ...{ name, exact: true },
      });
      expect(await named.count(), name).toBe(1);
    }
    await page.goto(address);
    await focused();
    await page.keyboard.type("not today");
    for (const name of ["Approve", "Reject"]) expect(await focused()).toBe(name);
    await page.keyboard.press("Enter");
    await page.waitForURL(address);
    await page.getByText("It is rejected.").waitFor();
    expect(await votesOn(id)).toEqual(["reject not today"]);
  });

  it("gives back what was typed where it cannot be taken, and takes it once it can", async () => {
    const { id, address } = await linked({ arguments: { path: "/build/\u202ea", note: "</textarea>" } });
    const { page, complaints } = await tab();
    await page.goto(address);
    const json = field(page, "Or approve with other arguments, as JSON");
    expect(JSON.parse(await json.inputValue())).toEqual({ path: "/build/\u202ea", note: "</textarea>" });
    await json.fill('{"path": "/tmp/\u202e"');
    await field(page, "Comment").fill("elsewhere\n</textarea>");
    await button(page, "Approve with these arguments").click();
    expect(await page.getByRole("alert").innerText()).toMatch(/Nothing was decided\. .*one JSON object/);
    expect(await field(page, "Comment").inputValue()).toBe("elsewhere\n</textarea>");
    expect(await json.inputValue()).toBe('{"path": "/tmp/\\u202e"');
    await button(page, "Answer").click();
    expect(await page.getByRole("alert").innerText()).toMatch(/Nothing was decided\./);
    const long = `${"line\n".repeat(399)}12345`;
    await json.fill('{"path": "/tmp"}');
    await field(page, "Comment").fill(long);
    await button(page, "Approve with these arguments").click();
    await page.getByText("It is approved.").waitFor();
    const { edited_arguments, votes } = await desk.wait(id);
    expect([edited_arguments, votes[0]!.comment]).toEqual([{ path: "/tmp" }, long]);
    expect(complaints.filter((line) => !/status of 400/.test(line))).toEqual([]);
  });
});

function colourOf(page: Page, selector: string, property: string): Promise<string> {
  return page.evaluate(
    `getComputedStyle(document.querySelector(${JSON.stringify(selector)})).getPropertyValue("${property}")`,
  );
}

/** The contrast of a text with what is behind it, as WCAG 2 counts it: 1 to 21. */
async function contrastOf(page: Page, selector: string): Promise<number> {
  const own = await colourOf(page, selector, "background-color");
  const behind = /, 0\)$/.test(own) ? await colourOf(page, "body", "background-color") : own;
  const [one, other] = [await colourOf(page, selector, "color"), behind].map((colour) => {
    const [red, green, blue] = colour.match(/\d+/g)!.map((part) => {
      const share = Number(part) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue! + 0.05;
  });
  return Math.max(one! / other!, other! / one!);
}
