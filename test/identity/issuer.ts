import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWTPayload, SignJWT } from "jose";

/** Somebody who issues JWTs, with keys of its own and a place where the public ones can be fetched. */
export interface Issuer {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUrl: string;
  keys(): JSONWebKeySet;
  /** How often the keys were fetched. */
  fetched(): number;
  /** From now on another key is used, under another id; the old one is not published any more. */
  rotate(): Promise<void>;
  /** Answers nothing but errors, or serves again. */
  fail(failing: boolean): void;
  sign(
    claims: JWTPayload,
    options?: { readonly header?: Record<string, unknown>; readonly expires?: number | null },
  ): Promise<string>;
  close(): Promise<void>;
}

type Algorithm = "RS256" | "ES256" | "EdDSA";

export async function openIssuer(algorithm: Algorithm = "ES256"): Promise<Issuer> {
  const issuer = "https://issuer.example";
  const audience = "llm-mailbox";
  let number = 0;
  let pair = await generateKeyPair(algorithm, { extractable: true });
  let jwks: JSONWebKeySet = { keys: [] };
  const publish = async (): Promise<void> => {
    number += 1;
    const jwk = await exportJWK(pair.publicKey);
    jwks = { keys: [{ ...jwk, kid: `key-${number}`, alg: algorithm, use: "sig" }] };
  };
  await publish();
  let fetched = 0;
  let failing = false;
  const server = createServer((_, response) => {
    fetched += 1;
    if (failing) response.writeHead(500).end();
    else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(jwks));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    issuer,
    audience,
    jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    keys: () => jwks,
    fetched: () => fetched,
    rotate: async () => {
      pair = await generateKeyPair(algorithm, { extractable: true });
      await publish();
    },
    fail: (now) => {
      failing = now;
    },
    sign: (claims, { header = {}, expires = 60 } = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const jwt = new SignJWT({
        iss: issuer,
        aud: audience,
        iat: now,
        ...(expires === null ? {} : { exp: now + expires }),
        ...claims,
      });
      jwt.setProtectedHeader({ alg: algorithm, kid: `key-${number}`, ...header });
      return jwt.sign(pair.privateKey);
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
