import { visible } from "../addresses/index.js";
import { refuse } from "../errors/index.js";

/** @throws {MailboxError} `policy.invalid`, always */
export function invalid(line: number, problem: string): never {
  const said = visible(problem);
  refuse("policy.invalid", { line, problem: said.length > 400 ? `${said.slice(0, 400)}…` : said });
}
