import { describe, expect, it } from "vitest";
import { localPrincipal } from "../../src/identity/index.js";
import { hostileNames } from "../addresses/hostile.js";

describe("a principal that named itself", () => {
  it("is an agent of its namespace, unverified", () => {
    expect(localPrincipal("default", "alice")).toEqual({
      namespace: "default",
      agent: "alice",
      verified: false,
      roles: ["agent"],
      credential: { kind: "none" },
    });
  });

  it.each([...hostileNames, ["a reserved name", "operator"], ["capitals", "Alice"]] as const)(
    "cannot call itself %s",
    (_, name) => {
      expect(() => localPrincipal("default", name)).toThrow(
        expect.objectContaining({
          code: "config.invalid",
          message: expect.stringContaining("LLM_MAILBOX_AGENT"),
        }),
      );
    },
  );
});
