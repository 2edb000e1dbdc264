import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

// What a program keeps for its user must not end up with the user who runs the tests.
const home = mkdtempSync(join(tmpdir(), "mailbox-home-"));
process.on("exit", () => rmSync(home, { recursive: true, force: true }));

// Where a program wants the counts as well (see .ci/run).
const report = process.env.TEST_REPORT;

/** What takes longest, longest first: from half a minute to two on a machine that does nothing else. */
const longest = [
  ...["faults/cut-connection", "policy/budget-model", "faults/killed-server", "locks/mutants"],
  ...["protocol/absent-clients", "locks/wide-patterns"],
  ...["protocol/authentication", "protocol/locks", "locks/turns", "policy/oracle", "locks/lock-news"],
  ...[
    "protocol/channel",
    "redis/engine/ensure-engine",
    "faults/budget-crowd",
    "faults/outbox",
    "model/mutants",
  ],
  ...["faults/locks-chaos", "audit/seal", "faults/http-attacks", "locks/grants", "protocol/matrix"],
];

/** Begins with what takes longest, so that none of it goes on alone in the end. By itself vitest begins with long files. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return at < 0 ? longest.length : at;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

/**
 * Tests of one room, in the process of their file and on stores of their own. They leave nothing behind that another file
 * could find, so that a process runs many of these files: to load the product again for each of them takes a tenth of all.
 */
const together = [
  ...["addresses", "agents", "approvals", "audit", "config", "errors", "identity", "locks", "mailbox", "mcp"],
  ...["policy", "state", "topics"],
].map((room) => `test/${room}/**/*.test.ts`);
const all = "test/**/*.test.ts";

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: "together", include: together, isolate: false } },
      {
        extends: true,
        test: { name: "apart", include: [all], exclude: [...configDefaults.exclude, ...together] },
      },
    ],
    env: { HOME: home },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Tests start servers and processes of their own: a fork each. Much of their time they wait, so that a machine of two
    // cores is busy with three.
    pool: "forks",
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // Machines that are so busy are late by more than the second that is vitest's own. What comes by itself in the end,
    // with a heartbeat or another look, comes after five seconds: what is polled for so long still has to come before.
    expect: { poll: { timeout: 4_000 } },
    allowOnly: false,
    passWithNoTests: false,
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
  },
});
