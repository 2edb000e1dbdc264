import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { catalogue, type ErrorCode, httpStatus, isRetryable } from "../../src/errors/index.js";

const file = new URL("../../docs/errors.md", import.meta.url);
const codes = Object.keys(catalogue) as ErrorCode[];

interface Section {
  readonly code: string;
  readonly facts: string;
  readonly text: string;
  readonly when: string;
  readonly remedy: string;
}

/** What is read from the catalogue, so that nobody writes it twice. */
function generated(code: ErrorCode): Pick<Section, "facts" | "text"> {
  const { kind, text } = catalogue[code];
  const again = isRetryable(kind) ? "the same call may succeed later" : "the same call will be refused again";
  return { facts: `${kind} · HTTP ${httpStatus(kind)} · ${again}`, text };
}

function sections(page: string): Section[] {
  return page
    .split(/^### /m)
    .slice(1)
    .map((part) => ({
      code: /^`([^`]+)`/.exec(part)?.[1] ?? "",
      facts: part.split("\n")[2]?.trim() ?? "",
      text: /^> (.*)$/m.exec(part)?.[1] ?? "",
      when: /^\*\*When:\*\* (.*)$/m.exec(part)?.[1] ?? "",
      remedy: /^\*\*Remedy:\*\* (.*)$/m.exec(part)?.[1] ?? "",
    }));
}

function write(page: string): string {
  const known = new Map(sections(page).map((section) => [section.code, section]));
  const body = codes.map((code) => {
    const { facts, text } = generated(code);
    const { when = "", remedy = "" } = known.get(code) ?? {};
    return `### \`${code}\`\n\n${facts}\n\n> ${text}\n\n**When:** ${when}\n\n**Remedy:** ${remedy}\n`;
  });
  return `${page.split(/^### /m)[0]!.trimEnd()}\n\n${body.join("\n")}`;
}

describe("docs/errors.md", () => {
  if (process.env.UPDATE_DOCS) writeFileSync(file, write(readFileSync(file, "utf8")));
  const listed = sections(readFileSync(file, "utf8"));

  it("lists every code there is and no other (UPDATE_DOCS=1 writes what can be generated)", () => {
    expect(codes.length).toBeGreaterThan(20);
    expect(listed.map(({ code }) => code)).toEqual(codes);
  });

  it.each(codes)("says of %s what the catalogue says, and when it comes and what helps", (code) => {
    const section = listed.find((one) => one.code === code);
    expect(section).toMatchObject(generated(code));
    expect(section?.when).toMatch(/^[A-Z`].{20,}\.$/);
    expect(section?.remedy).toMatch(/^[A-Z].{10,}\.$/);
  });
});
