import { defineConfig } from "vitest/config";

// Where a program wants the counts as well (see .ci/run).
const report = process.env.TEST_REPORT;

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Tests start servers and processes of their own: a fork each, and no more at once than a small machine has cores.
    pool: "forks",
    maxWorkers: 2,
    allowOnly: false,
    passWithNoTests: false,
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
  },
});
