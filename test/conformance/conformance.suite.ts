import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { notScored, type Open, open, type Revision, required, revisions } from "./expected.js";
import { type Served, serve } from "./served.js";
import { type Check, installSuite, type Report, type Suite } from "./suite.js";

let suite: Suite;
beforeAll(async () => {
  suite = await installSuite();
}, 180_000);

describe.each(revisions)("what %s requires of a server", (revision) => {
  it(`is ${required[revision].length} scenarios`, async () => {
    expect([...(await suite.required(revision))].sort()).toEqual([...required[revision]].sort());
  });
});

describe("the product with the fixtures", () => hold({ fixtures: true }, open.withFixtures));
describe("the product as it is", () => hold({ fixtures: false }, open.withoutFixtures));

function hold(how: { readonly fixtures: boolean }, known: Readonly<Record<string, Open>>): void {
  let served: Served;
  const reports = new Map<Revision, Report>();
  beforeAll(async () => {
    served = await serve(how);
    for (const revision of revisions) reports.set(revision, await suite.run(served.url, revision));
  }, 120_000);

  describe.each(revisions)("in %s", (revision) => {
    const scenarios = [...required[revision], ...notScored[revision]];
    const checksOf = (name: string): readonly Check[] => reports.get(revision)!.checks.get(name) ?? [];

    it("is put through these scenarios and no others", () => {
      expect([...reports.get(revision)!.checks.keys()].sort()).toEqual([...scenarios].sort());
    });

    it.each(scenarios.filter((name) => !(name in known)))("passes %s", (name) => {
      expect(openIn(checksOf(name))).toEqual([]);
      expect(checksOf(name).filter(({ status }) => status === "SUCCESS").length).toBeGreaterThan(0);
    });

    const partly = scenarios.filter((name) => name in known);
    it.each(partly.map((name) => [name, known[name]!.because]))("leaves %s open: %s", (name) => {
      const { checks } = known[name]!;
      const found = openIn(checksOf(name)).map(({ id }) => id);
      expect(found.length).toBeGreaterThan(0);
      if (checks) expect([...new Set(found)].sort()).toEqual([...checks].sort());
    });

    if (how.fixtures)
      it(`passes all ${required[revision].length} that are required, by the suite's own count`, () => {
        const failed = required[revision].filter((name) =>
          checksOf(name).some(({ status }) => status === "FAILURE"),
        );
        expect(failed).toEqual([]);
        expect(reports.get(revision)!.passed).toBe(true);
      });
  });

  it("ends in good order after all that", async () => {
    expect(await served.stop()).toBe(0);
  });
  afterAll(async () => {
    await served?.stop();
  });
}

/** The checks that say anything but that all is well. */
function openIn(checks: readonly Check[]): readonly Check[] {
  return checks.filter(({ status }) => status !== "SUCCESS" && status !== "INFO");
}
