import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportSPKI, importJWK, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type JwtSettings, JwtVerifier } from "../../src/identity/index.js";
import { type Issuer, openIssuer } from "./issuer.js";

const place = mkdtempSync(join(tmpdir(), "mailbox-jwt-"));
let issuer: Issuer;
beforeAll(async () => {
  issuer = await openIssuer("RS256");
});
afterAll(async () => {
  await issuer.close();
  rmSync(place, { recursive: true, force: true });
});

function verifierOf(more: Partial<JwtSettings> = {}, now?: () => number, from = issuer): JwtVerifier {
  const settings: JwtSettings = {
    jwks: from.jwksUrl,
    issuer: from.issuer,
    audience: from.audience,
    algorithms: ["RS256", "ES256", "EdDSA"],
    agentClaim: "sub",
    namespaceClaim: "namespace",
    rolesClaim: "roles",
    namespace: "default",
    ...more,
  };
  return new JwtVerifier(settings, () => undefined, now);
}

const seconds = (): number => Math.floor(Date.now() / 1000);
const invalid = { code: "auth.invalid", message: expect.stringMatching(/^auth\.invalid: the credential/) };

describe("a JWT", () => {
  it.each(["RS256", "ES256", "EdDSA"] as const)(
    "signed with %s proves agent, namespace and roles",
    async (alg) => {
      const own = await openIssuer(alg);
      const jwt = await own.sign({ sub: "alice", namespace: "team-a", roles: ["observer", "else", "admin"] });
      expect(await verifierOf({}, undefined, own).verify(jwt)).toEqual({
        namespace: "team-a",
        agent: "alice",
        verified: true,
        roles: ["admin", "observer"],
        credential: {
          kind: "jwt",
          id: expect.stringMatching(/^[0-9a-f]{16}$/),
          expiresAt: expect.any(Number),
        },
      });
      await own.close();
    },
  );

  it("that says nothing of namespace and roles is an agent of the configured namespace", async () => {
    const principal = await verifierOf({ namespace: "here" }).verify(await issuer.sign({ sub: "alice" }));
    expect(principal).toMatchObject({ namespace: "here", roles: ["agent"] });
  });

  it("is mapped by the claims that the settings name", async () => {
    const jwt = await issuer.sign({
      sub: "auth0|7",
      "https://x/agent": "carol",
      org: "o1",
      scope: "approver x",
    });
    const verifier = verifierOf({
      agentClaim: "https://x/agent",
      namespaceClaim: "org",
      rolesClaim: "scope",
    });
    expect(await verifier.verify(jwt)).toMatchObject({
      agent: "carol",
      namespace: "o1",
      roles: ["approver"],
    });
  });

  it.each([
    ["no agent", {}],
    ["the name of a person", { sub: "Alice Smith" }],
    ["capitals", { sub: "Alice" }],
    ["a reserved name", { sub: "operator" }],
    ["a brace", { sub: "a}b" }],
    ["a number", { sub: 7 as unknown as string }],
    ["an empty claim of a namespace", { sub: "alice", namespace: null as unknown as string }],
    ["a namespace that is none", { sub: "alice", namespace: "a:b" }],
    ["a namespace that is a list", { sub: "alice", namespace: ["default"] }],
    ["another issuer", { sub: "alice", iss: "https://issuer.example.evil.example" }],
    ["no issuer", { sub: "alice", iss: undefined as unknown as string }],
    ["another audience", { sub: "alice", aud: "another" }],
    ["no audience", { sub: "alice", aud: undefined as unknown as string }],
    ["the audience as a part", { sub: "alice", aud: "llm-mailbox-x" }],
  ])("with %s is refused", async (_, claims) => {
    await expect(verifierOf().verify(await issuer.sign(claims))).rejects.toMatchObject(invalid);
  });

  it("is for one of several audiences", async () => {
    const jwt = await issuer.sign({ sub: "alice", aud: ["another", "llm-mailbox"] });
    expect((await verifierOf().verify(jwt)).agent).toBe("alice");
  });

  it("must say when it expires, and is over at that second, without leeway", async () => {
    await expect(
      verifierOf().verify(await issuer.sign({ sub: "a" }, { expires: null })),
    ).rejects.toMatchObject(invalid);
    const exp = seconds() + 1_000;
    const jwt = await issuer.sign({ sub: "alice", exp });
    expect((await verifierOf({}, () => exp * 1000 - 1).verify(jwt)).agent).toBe("alice");
    await expect(verifierOf({}, () => exp * 1000).verify(jwt)).rejects.toMatchObject(invalid);
    await expect(verifierOf().verify(await issuer.sign({ sub: "a" }, { expires: -5 }))).rejects.toMatchObject(
      invalid,
    );
  });

  it.each(["nbf", "iat"])("with %s ahead of us is valid up to 30 s before it", async (claim) => {
    const at = seconds() + 500;
    const jwt = await issuer.sign({ sub: "alice", iat: seconds(), exp: at + 100, [claim]: at });
    expect((await verifierOf({}, () => (at - 30) * 1000).verify(jwt)).agent).toBe("alice");
    await expect(verifierOf({}, () => (at - 31) * 1000).verify(jwt)).rejects.toMatchObject(invalid);
  });

  it("without a signature is refused, however it is written", async () => {
    const claims = { sub: "alice", iss: issuer.issuer, aud: issuer.audience, exp: seconds() + 60 };
    const unsigned = new UnsecuredJWT(claims).encode();
    const [head, body] = (await issuer.sign({ sub: "alice" })).split(".");
    const none = (alg: string): string =>
      Buffer.from(JSON.stringify({ alg, kid: "key-1" })).toString("base64url");
    for (const jwt of [
      unsigned,
      `${none("none")}.${body}.`,
      `${none("None")}.${body}.`,
      `${head}.${body}.`,
      `${head}.${body}`,
    ])
      await expect(verifierOf().verify(jwt)).rejects.toMatchObject(invalid);
  });

  it("that is signed by HMAC with the public key is refused, also when the pinned algorithms were wrong", async () => {
    const publicKey = await importJWK(issuer.keys().keys[0]!, "RS256", { extractable: true });
    const pem = await exportSPKI(publicKey as Parameters<typeof exportSPKI>[0]);
    for (const secret of [pem, pem.trim(), JSON.stringify(issuer.keys().keys[0])]) {
      const jwt = await new SignJWT({ sub: "alice", iss: issuer.issuer, aud: issuer.audience })
        .setProtectedHeader({ alg: "HS256", kid: "key-1" })
        .setExpirationTime("1m")
        .sign(Buffer.from(secret));
      await expect(verifierOf().verify(jwt)).rejects.toMatchObject(invalid);
    }
    for (const algorithms of [["HS256"], ["RS256", "HS256"], ["none"], []])
      expect(() => verifierOf({ algorithms })).toThrow(/^config\.invalid: LLM_MAILBOX_JWT_ALGORITHMS/);
  });

  it("of another key is refused: under our key's id, under its own, and with the key in its header", async () => {
    const stranger = await openIssuer("RS256");
    const named = { iss: issuer.issuer, aud: issuer.audience, sub: "alice" };
    for (const header of [
      { kid: "key-1" },
      { kid: "key-9" },
      { kid: "key-1", jwk: stranger.keys().keys[0] },
      { kid: "key-1", jku: stranger.jwksUrl },
    ])
      await expect(verifierOf().verify(await stranger.sign(named, { header }))).rejects.toMatchObject(
        invalid,
      );
    expect(stranger.fetched()).toBe(0);
    await stranger.close();
  });

  it("of an algorithm that is not pinned is refused", async () => {
    await expect(
      verifierOf({ algorithms: ["ES256"] }).verify(await issuer.sign({ sub: "alice" })),
    ).rejects.toMatchObject(invalid);
  });

  it.each(["JWT", "jwt", "at+jwt", "application/at+jwt"])("of the kind %s is accepted", async (typ) => {
    const jwt = await issuer.sign({ sub: "alice" }, { header: { typ } });
    expect((await verifierOf().verify(jwt)).agent).toBe("alice");
  });

  it.each(["logout+jwt", "dpop+jwt", "secevent+jwt", "x"])("of the kind %s is refused", async (typ) => {
    const jwt = await issuer.sign({ sub: "alice" }, { header: { typ } });
    await expect(verifierOf().verify(jwt)).rejects.toMatchObject(invalid);
  });

  it("that was changed is refused, and so is what is none", async () => {
    const [head, , signature] = (await issuer.sign({ sub: "alice" })).split(".");
    const other = (await issuer.sign({ sub: "admin" })).split(".")[1];
    for (const text of ["", "x", "a.b.c", `${head}.${other}.${signature}`, "e".repeat(100_000)])
      await expect(verifierOf().verify(text)).rejects.toMatchObject(invalid);
  });

  it("is not quoted by its refusal", async () => {
    const jwt = await issuer.sign({ sub: "Not An Agent" });
    const error = await verifierOf()
      .verify(jwt)
      .catch((refusal: Error) => refusal as Error);
    expect(JSON.stringify([error, (error as Error).message, String((error as Error).cause)])).not.toContain(
      jwt.slice(0, 20),
    );
  });
});

describe("the keys of an issuer", () => {
  it("are fetched once for many tokens, and again when a token names one that is new, at most once a minute", async () => {
    const own = await openIssuer();
    let now = Date.now();
    const verifier = verifierOf({}, () => now, own);
    const first = await own.sign({ sub: "alice" }, { expires: 3_600 });
    for (let n = 0; n < 5; n++) await verifier.verify(first);
    expect(own.fetched()).toBe(1);
    await own.rotate();
    const second = await own.sign({ sub: "alice" }, { expires: 3_600 });
    const strange = await own.sign({ sub: "alice" }, { header: { kid: "made-up" } });
    await Promise.allSettled(Array.from({ length: 20 }, () => verifier.verify(strange)));
    await expect(verifier.verify(second)).rejects.toMatchObject(invalid);
    expect(own.fetched()).toBe(1);
    now += 60_000;
    expect((await verifier.verify(second)).agent).toBe("alice");
    expect(own.fetched()).toBe(2);
    await Promise.allSettled(Array.from({ length: 20 }, () => verifier.verify(strange)));
    expect(own.fetched()).toBe(2);
    await expect(verifier.verify(first)).rejects.toMatchObject(invalid);
    await own.close();
  });

  it("that were never fetched refuse nobody for good: it is said that they are away, and they are asked for again after 5 s", async () => {
    const own = await openIssuer();
    let now = Date.now();
    const jwt = await own.sign({ sub: "alice" }, { expires: 7_200 });
    own.fail(true);
    const verifier = verifierOf({}, () => now, own);
    for (let n = 0; n < 10; n++)
      await expect(verifier.verify(jwt)).rejects.toMatchObject({
        code: "auth.unavailable",
        kind: "UNAVAILABLE",
      });
    await expect(verifier.verify("no.jwt.atall")).rejects.toMatchObject(invalid);
    expect(own.fetched()).toBe(1);
    own.fail(false);
    now += 5_000;
    expect((await verifier.verify(jwt)).agent).toBe("alice");
    expect(own.fetched()).toBe(2);
    await own.close();
  });

  it("that cannot be fetched any more are asked for once a minute, and known ones hold meanwhile", async () => {
    const own = await openIssuer();
    let now = Date.now();
    const jwt = await own.sign({ sub: "alice" }, { expires: 7_200 });
    const verifier = verifierOf({}, () => now, own);
    expect((await verifier.verify(jwt)).agent).toBe("alice");
    own.fail(true);
    now += 11 * 60_000;
    for (let n = 0; n < 10; n++) expect((await verifier.verify(jwt)).agent).toBe("alice");
    expect(own.fetched()).toBe(2);
    now += 60_000;
    for (let n = 0; n < 10; n++) expect((await verifier.verify(jwt)).agent).toBe("alice");
    expect(own.fetched()).toBe(3);
    await own.close();
  });

  it("are read from a file", async () => {
    const file = join(place, "keys.json");
    writeFileSync(file, JSON.stringify(issuer.keys()));
    const jwt = await issuer.sign({ sub: "alice" });
    expect((await verifierOf({ jwks: file }).verify(jwt)).agent).toBe("alice");
    writeFileSync(file, "secret that is no JSON");
    await expect(verifierOf({ jwks: file }).verify(jwt)).rejects.toMatchObject({ code: "auth.unavailable" });
  });

  it("are not fetched without TLS from another machine", () => {
    for (const jwks of ["http://issuer.example/keys", "http://127.0.0.1.example/keys", "http://["])
      expect(() => verifierOf({ jwks })).toThrow(/^config\.invalid: LLM_MAILBOX_JWKS/);
    expect(() => verifierOf({ jwks: "https://issuer.example/keys" })).not.toThrow();
  });

  it("that are no keys prove nothing: a shared secret among them is not used", async () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const file = join(place, "mixed.json");
    const secret = Buffer.alloc(32, 7);
    const keys = [
      { kty: "oct", k: secret.toString("base64url"), kid: "shared", alg: "HS256" },
      {
        ...createPublicKey(publicKey.export({ type: "spki", format: "pem" })).export({ format: "jwk" }),
        kid: "rsa",
      },
    ];
    writeFileSync(file, JSON.stringify({ keys }));
    const jwt = await new SignJWT({ sub: "alice", iss: issuer.issuer, aud: issuer.audience })
      .setProtectedHeader({ alg: "HS256", kid: "shared" })
      .setExpirationTime("1m")
      .sign(secret);
    await expect(verifierOf({ jwks: file }).verify(jwt)).rejects.toMatchObject(invalid);
  });
});
