/** What reads rule sets: `compileRules`, at once or in slices, `adviseRules`, `ruleParts` and `testRules`. */
export function loadCompiler(): Promise<typeof import("./rule-compiler.js")> {
  return import("./rule-compiler.js");
}
