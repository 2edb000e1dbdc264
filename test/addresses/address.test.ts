import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress, isAgentName, parseAddress } from "../../src/addresses/index.js";
import { isRefusal, type MailboxError } from "../../src/errors/index.js";
import { hostileNames } from "./hostile.js";

function refusal(act: () => unknown): MailboxError {
  try {
    act();
  } catch (error) {
    if (isRefusal(error)) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("an address as models type it", () => {
  it.each([
    ["alice", "alice"],
    ["@alice", "alice"],
    ["Alice", "alice"],
    ["  alice\n", "alice"],
    ["agent:alice", "alice"],
    ["AGENT:Alice", "alice"],
    ["a", "a"],
    ["0", "0"],
    ["a.b_c-d", "a.b_c-d"],
    ["a".repeat(63), "a".repeat(63)],
    ["constructor", "constructor"],
    ["queue:reviewers", "queue:reviewers"],
    ["Queue:Reviewers", "queue:reviewers"],
    ["queue: reviewers", "queue:reviewers"],
    ["topic:builds.ci", "topic:builds.ci"],
    ["#builds.ci", "topic:builds.ci"],
    ["#Builds.CI", "topic:builds.ci"],
    ["#topic:builds", "topic:builds"],
    ["everyone", "everyone"],
    ["@everyone", "everyone"],
    ["Everyone", "everyone"],
  ])("%j is %s", (given, meant) => {
    expect(formatAddress(parseAddress(given))).toBe(meant);
  });

  it("comes out of its own form again", () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,62}$/);
    fc.assert(
      fc.property(name, fc.constantFrom("", "queue:", "agent:", "@"), (text, prefix) => {
        fc.pre(isAgentName(text));
        const address = parseAddress(prefix + text);
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
    );
  });
});

describe("a name that is none", () => {
  it.each(hostileNames)("is refused with its code: %s", (_, name) => {
    for (const given of [name, `queue:${name}`, `agent:${name}`]) {
      const { code, message } = refusal(() => parseAddress(given));
      expect(code).toBe("address.invalid");
      expect(message).toContain("Use an agent name");
    }
    expect(isAgentName(name)).toBe(false);
  });

  it.each(hostileNames)("is shown short and harmless in the refusal: %s", (_, name) => {
    const { message } = refusal(() => parseAddress(name));
    expect(message.length).toBeLessThan(400);
    expect(message).toMatch(/^[\x20-\x7e…]*$/);
  });

  it.each(["everyone", "postmaster", "operator"])("%s is nobody's to take", (name) => {
    expect(isAgentName(name)).toBe(false);
    expect(refusal(() => parseAddress(`agent:${name}`)).message).toContain("reserved");
    expect(refusal(() => parseAddress(`queue:${name}`)).message).toContain("reserved");
  });

  it("is all that is not made of the allowed characters, whatever it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), (given) => {
        let address: ReturnType<typeof parseAddress>;
        try {
          address = parseAddress(given);
        } catch (error) {
          expect(isRefusal(error)).toBe(true);
          expect((error as Error).message).toMatch(/^[\x20-\x7e…]*$/);
          return;
        }
        expect(formatAddress(address)).toMatch(/^((queue:|topic:)?[a-z0-9][a-z0-9._-]*|everyone)$/);
      }),
      { numRuns: 2_000 },
    );
  });
});
