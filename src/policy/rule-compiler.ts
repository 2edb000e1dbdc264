/** What reads rule sets. Its languages take longer to load than all the rest, so it is loaded when the first is read. */
export { adviseRules } from "./advise-rules.js";
export { compileInSlices, compileRules } from "./compile-rules.js";
export { ruleParts } from "./rule-parts.js";
export { testRules } from "./test-rules.js";
