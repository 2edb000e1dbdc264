/** What reads rule sets: `compileRules`, `ruleParts` and `testRules`. */
export function loadCompiler(): Promise<typeof import("./rule-compiler.js")> {
  return import("./rule-compiler.js");
}
