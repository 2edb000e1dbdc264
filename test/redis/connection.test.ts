import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Store } from "../../src/redis/index.js";
import { spawnWith } from "../cli/command-line.js";
import { freePorts } from "../stores/redis-cluster.js";
import { accepting, durable, hasRedisServer } from "../stores/redis-server.js";
import { killed, launchUntil } from "../stores/test-store.js";

const shown = (url: string): string => url.replace(/:[^:@/]*@/, ":…@");

if (!hasRedisServer() && process.env.CI)
  throw new Error("redis-server is not on PATH, and CI must try every address");
if (!hasRedisServer())
  process.stderr.write("redis-server is not on PATH: addresses of a Redis are not tried\n");

describe.runIf(hasRedisServer())("the address of a Redis (redis-server)", () => {
  const folder = mkdtempSync(join(tmpdir(), "mailbox-address-"));
  const children: Awaited<ReturnType<typeof launchUntil>>[] = [];
  let port = 0;
  let tlsPort = 0;
  let sentinelPort = 0;
  const certificate = join(folder, "cert.pem");

  beforeAll(async () => {
    [port, tlsPort, sentinelPort] = (await freePorts(3)) as [number, number, number];
    const key = join(folder, "key.pem");
    execFileSync(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"].concat([
        "-addext",
        "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-keyout",
        key,
        "-out",
        certificate,
      ]),
      { stdio: "ignore" },
    );
    const tls = ["--tls-port", String(tlsPort), "--tls-cert-file", certificate, "--tls-key-file", key];
    children.push(
      await launchUntil(accepting, "redis-server", [
        ...[
          "--port",
          String(port),
          "--bind",
          "127.0.0.1",
          "--requirepass",
          "secret word",
          "--masterauth",
          "secret word",
        ],
        ...tls,
        ...["--tls-ca-cert-file", certificate, "--tls-auth-clients", "no"],
        ...durable(folder),
      ]),
    );
    const conf = join(folder, "sentinel.conf");
    writeFileSync(
      conf,
      [
        `port ${sentinelPort}`,
        "bind 127.0.0.1",
        `sentinel monitor mail 127.0.0.1 ${port} 1`,
        'sentinel auth-pass mail "secret word"',
      ].join("\n"),
    );
    children.push(await launchUntil(/monitor master mail/, "redis-server", [conf, "--sentinel"]));
  });
  afterAll(async () => {
    await Promise.all(children.map(killed));
    rmSync(folder, { recursive: true, force: true });
  });

  const answers = async (url: string): Promise<string> => {
    const store = await Store.open({ endpoint: { url }, label: shown(url) });
    try {
      await store.command("SET", "{t}:x", "1");
      return store.tier;
    } finally {
      store.close();
    }
  };

  it("may be redis:// with a password", async () => {
    expect(await answers(`redis://:secret%20word@127.0.0.1:${port}`)).toBe("D2");
  });

  it("may be redis+sentinel:// with the name of the master", async () => {
    expect(await answers(`redis+sentinel://:secret%20word@127.0.0.1:${sentinelPort}/mail`)).toBe("D2");
  });

  it("may be rediss://, with the certificate checked against the authorities that Node trusts", async () => {
    const settings = { REDIS_URL: `rediss://:secret%20word@localhost:${tlsPort}` };
    const trusting = await spawnWith({ ...settings, NODE_EXTRA_CA_CERTS: certificate }, "agents");
    expect(trusting).toMatchObject({ status: 0, err: "" });
    const wary = await spawnWith(settings, "agents");
    expect(wary.status).toBe(1);
    expect(wary.err).toMatch(/^llm-mailbox: store\.unavailable/);
  });

  it("is never shown with its password", async () => {
    const { out, err } = await spawnWith({ REDIS_URL: `redis://:secret%20word@127.0.0.1:${port}` }, "doctor");
    expect(out).toContain(`127.0.0.1:${port}`);
    expect(out + err).not.toMatch(/secret/);
  });

  it("is refused in any other form, without showing it", async () => {
    for (const url of ["http://localhost:6379", "localhost:6379", "redis+cluser://h:1", "unix:relative"]) {
      const { status, err } = await spawnWith({ REDIS_URL: url }, "agents");
      expect([url, status]).toEqual([url, 2]);
      expect(err).toContain("REDIS_URL");
      expect(err).toContain("redis://, rediss://");
    }
  });
});
