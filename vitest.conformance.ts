import { defineConfig } from "vitest/config";

// Apart from `npm test`, because it installs the official suite and the Node that the suite needs.
const report = process.env.TEST_REPORT;

export default defineConfig({
  test: {
    include: ["test/conformance/conformance.suite.ts"],
    allowOnly: false,
    passWithNoTests: false,
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
  },
});
