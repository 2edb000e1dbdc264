import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultDataDir } from "../../src/config/data-dir.js";
import { type Config, type Flags, readConfig, settings } from "../../src/config/index.js";
import { isRefusal } from "../../src/errors/index.js";

type Name = keyof typeof settings;

/** For each setting: texts that are allowed with what they mean, and texts that are not. */
const cases: Readonly<
  Record<
    Name,
    {
      readonly at: string;
      readonly good: readonly (readonly [string, unknown])[];
      readonly bad: readonly string[];
    }
  >
> = {
  redisUrl: { at: "redisUrl", good: [["redis://localhost:6379/0", "redis://localhost:6379/0"]], bad: [] },
  dataDir: {
    at: "dataDir",
    good: [
      ["/var/lib/mail", resolve("/var/lib/mail")],
      ["mail", resolve("mail")],
    ],
    bad: [],
  },
  engine: {
    at: "engine",
    good: [
      ["auto", "auto"],
      ["embedded", "embedded"],
      ["redis-server", "redis-server"],
    ],
    bad: ["redis", "AUTO", "valkey"],
  },
  engineIdleSeconds: {
    at: "engineIdleMs",
    good: [
      ["1", 1_000],
      ["86400", 86_400_000],
    ],
    bad: ["0", "86401", "-1", "1.5", "1e3", "0x10", "ten"],
  },
  tier: {
    at: "tier",
    good: [
      ["D0", "D0"],
      ["D1", "D1"],
      ["D2", "D2"],
    ],
    bad: ["D3", "d2", "2"],
  },
  namespace: {
    at: "namespace",
    good: [
      ["default", "default"],
      ["a", "a"],
      ["n".repeat(63), "n".repeat(63)],
    ],
    bad: ["n".repeat(64), "A", "a b", "}", "a:b", "-a", "a\nb"],
  },
  agent: {
    at: "agent",
    good: [
      ["alice", "alice"],
      ["a".repeat(63), "a".repeat(63)],
    ],
    bad: ["a".repeat(64), "Alice", "everyone", "operator", "postmaster", "queue:a", "a}"],
  },
  guardTokens: { at: "guardTokens", good: [["src/**=17, b=18", "src/**=17, b=18"]], bad: [] },
  server: {
    at: "server",
    good: [
      ["http://127.0.0.1:7678", "http://127.0.0.1:7678/mcp"],
      ["http://localhost:7678/mcp", "http://localhost:7678/mcp"],
      ["http://[::1]:1", "http://[::1]:1/mcp"],
      ["https://mail.example.org/team/mcp", "https://mail.example.org/team/mcp"],
    ],
    bad: ["mail.example.org", "ftp://example.org", "https://user:word@example.org", "http://", "/mcp"],
  },
  plainHttp: { at: "server", good: [["1", undefined]], bad: ["yes"] },
  channel: {
    at: "channel",
    good: [
      ["1", true],
      ["0", false],
    ],
    bad: ["on"],
  },
  logLevel: {
    at: "logLevel",
    good: ["debug", "info", "warn", "error", "silent"].map((level) => [level, level] as const),
    bad: ["trace", "INFO", "2"],
  },
  structured: {
    at: "structured",
    good: [
      ["1", true],
      ["true", true],
      ["0", false],
      ["false", false],
    ],
    bad: ["yes", "TRUE", "2"],
  },
  token: { at: "token", good: [[" lmt_x\n", "lmt_x"]], bad: [] },
  allowUnverified: {
    at: "allowUnverified",
    good: [
      ["1", true],
      ["0", false],
    ],
    bad: ["yes"],
  },
  jwtJwks: { at: "jwtJwks", good: [["https://issuer.example/keys", "https://issuer.example/keys"]], bad: [] },
  jwtIssuer: { at: "jwtIssuer", good: [["https://issuer.example", "https://issuer.example"]], bad: [] },
  jwtAudience: { at: "jwtAudience", good: [["llm-mailbox", "llm-mailbox"]], bad: [] },
  jwtAlgorithms: {
    at: "jwtAlgorithms",
    good: [
      ["RS256", ["RS256"]],
      ["ES256, EdDSA", ["ES256", "EdDSA"]],
    ],
    bad: ["none", "HS256", "RS256,HS256", "RS256,", "rs256"],
  },
  jwtAgentClaim: {
    at: "jwtAgentClaim",
    good: [["https://x.example/agent", "https://x.example/agent"]],
    bad: ["a b"],
  },
  jwtNamespaceClaim: { at: "jwtNamespaceClaim", good: [["tenant", "tenant"]], bad: ["a b"] },
  jwtRolesClaim: { at: "jwtRolesClaim", good: [["groups", "groups"]], bad: ["a b"] },
  host: { at: "host", good: [["127.0.0.1", "127.0.0.1"]], bad: [] },
  auditKeyFile: { at: "auditKeyFile", good: [["/k/audit.pem", "/k/audit.pem"]], bad: [] },
  allowedHosts: {
    at: "allowedHosts",
    good: [
      ["mail.example, 10.0.0.5", ["mail.example", "10.0.0.5"]],
      ["[fd00::1]", ["[fd00::1]"]],
    ],
    bad: ["*", "*.example", "https://mail.example", "mail.example/x", "a b", ","],
  },
  allowedOrigins: {
    at: "allowedOrigins",
    good: [["https://app.example", ["https://app.example"]]],
    bad: ["*", "app.test", "https://app.example/", "https://*.example", "null"],
  },
  publicUrl: {
    at: "publicUrl",
    good: [["https://mail.example/", "https://mail.example"]],
    bad: ["mail.example", "https://x.example/path", "https://x.example/?a=1", "ftp://mail.example"],
  },
  filesDir: { at: "filesDir", good: [["/srv/files", resolve("/srv/files")]], bad: [] },
  port: {
    at: "port",
    good: [
      ["0", 0],
      ["65535", 65_535],
    ],
    bad: ["65536", "-1", "7678x", "1.5", "0x1"],
  },
  mailboxMessages: counted("limits.mailboxMessages", 10_000_000),
  senderMessages: counted("limits.senderMessages", 10_000_000),
  mailboxBytes: counted("limits.mailboxBytes", 1e12),
  bodyBytes: counted("limits.bodyBytes", 16 * 1024 * 1024),
  attachmentBytes: counted("limits.attachmentBytes", 256 * 1024 * 1024),
  uploadBytes: counted("limits.uploadBytes", 16 * 1024 ** 3),
  callsPerMinute: counted("limits.callsPerMinute", 1e9),
  recipients: counted("limits.recipients", 100_000),
  sendsPerMinute: counted("limits.sendsPerMinute", 1e9),
  conversationMessages: counted("limits.conversationMessages", 1e6),
  historySeconds: counted("limits.historyMs", 1e9, 1_000),
  claimSeconds: counted("limits.claimMs", 86_400, 1_000),
  failures: counted("limits.failures", 100),
  connections: counted("http.connections", 1e6),
  sessions: counted("http.sessions", 1e6),
  sessionsPerAgent: counted("http.sessionsPerAgent", 1e6),
  streamsPerAgent: counted("http.streamsPerAgent", 1e6),
  callsInFlight: counted("http.callsInFlight", 1e6),
  headerBytes: counted("http.headerBytes", 1024 * 1024),
  headers: counted("http.headers", 10_000),
  requestSeconds: counted("http.requestSeconds", 3_600),
  unreadBytes: counted("http.unreadBytes", 1e9),
  lockDelaySeconds: {
    at: "lockLimits.delayMs",
    good: [
      ["0", 0],
      ["30", 30_000],
      ["86400", 86_400_000],
    ],
    bad: ["86401", "-1", "1.5", "1e2", "long"],
  },
  stateValueBytes: counted("stateLimits.valueBytes", 1024 * 1024),
  stateGroupEntries: counted("stateLimits.groupEntries", 1e6),
  stateNamespaceBytes: counted("stateLimits.namespaceBytes", 1e12),
  reservationSeconds: counted("policyLimits.reservationMs", 86_400, 1_000),
  stateVersions: counted("stateLimits.versions", 1_000),
};

function counted(at: string, most: number, factor = 1): (typeof cases)["failures"] {
  return {
    at,
    good: [
      ["1", factor],
      [String(most), most * factor],
      [" 7\n", 7 * factor],
    ],
    bad: ["0", String(most + 1), "-1", "1.5", "1e2", "many", "9".repeat(16)],
  };
}

const at = (config: Config, path: string): unknown =>
  path.split(".").reduce<unknown>((value, part) => (value as Record<string, unknown>)[part], config);

function refused(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (isRefusal(error, "config.invalid")) return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

const names = Object.keys(settings) as Name[];
const good = names.flatMap((name) => cases[name].good.map(([text, meant]) => [name, text, meant] as const));
const bad = names.flatMap((name) => cases[name].bad.map((text) => [name, text] as const));

describe("a setting", () => {
  it("of every name is tried here", () => {
    expect(Object.keys(cases).sort()).toEqual([...names].sort());
  });

  it.each(good)("%s may be %j, by the environment and by a flag", (name, text, meant) => {
    expect(at(readConfig({ [settings[name].env]: text }), cases[name].at)).toEqual(meant);
    expect(at(readConfig({}, { [name]: text }), cases[name].at)).toEqual(meant);
  });

  it.each(bad)("%s may not be %j, and the refusal names it and what is allowed", (name, text) => {
    for (const act of [
      () => readConfig({ [settings[name].env]: text }),
      () => readConfig({}, { [name]: text }),
    ]) {
      const message = refused(act);
      expect(message).toContain(settings[name].env);
      expect(message).toContain(`Allowed: ${settings[name].allowed}.`);
      if (text.length > 10) expect(message).not.toContain(text);
    }
  });

  it("has a name of its own that begins as ours do", () => {
    const variables = names.map((name) => settings[name].env);
    expect(new Set(variables).size).toBe(variables.length);
    for (const variable of variables) expect(variable).toMatch(/^(LLM_MAILBOX_[A-Z_]+|REDIS_URL)$/);
  });
});

describe("without any setting", () => {
  it("this machine alone is served, from the platform's data folder", () => {
    const config = readConfig({});
    expect(config).toMatchObject({
      engine: "auto",
      engineIdleMs: 60_000,
      namespace: "default",
      logLevel: "warn",
      structured: false,
      host: "127.0.0.1",
      port: 7678,
      limits: {},
    });
    expect(config.redisUrl).toBeUndefined();
    expect(config.agent).toBeUndefined();
    expect(config.tier).toBeUndefined();
    expect(isAbsolute(config.dataDir)).toBe(true);
    expect(config.dataDir).toContain("llm-mailbox");
  });

  it.each([
    ["linux", {}, join(homedir(), ".local/share/llm-mailbox")],
    ["linux", { XDG_DATA_HOME: "/somewhere" }, "/somewhere/llm-mailbox"],
    ["darwin", { XDG_DATA_HOME: "/somewhere" }, join(homedir(), "Library/Application Support/llm-mailbox")],
    ["win32", { LOCALAPPDATA: "/local" }, "/local/llm-mailbox"],
  ] as const)("on %s with %j that folder is %s", (platform, env, folder) => {
    expect(defaultDataDir(env, platform)).toBe(folder);
  });

  it("an empty variable is as good as none", () => {
    expect(readConfig({ LLM_MAILBOX_PORT: "", LLM_MAILBOX_AGENT: "", REDIS_URL: "" })).toEqual(
      readConfig({}),
    );
  });

  it("nothing can be changed afterwards", () => {
    const config = readConfig({});
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.limits)).toBe(true);
  });
});

describe("who wins", () => {
  const place = mkdtempSync(join(tmpdir(), "llm-mailbox-config-"));
  const file = join(place, "url");
  beforeAll(() => writeFileSync(file, "redis://from-file:1\n"));
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  it("a flag over the environment", () => {
    const env = { LLM_MAILBOX_AGENT: "alice", LLM_MAILBOX_PORT: "1" };
    const flags: Flags = { agent: "bob" };
    expect(readConfig(env, flags)).toMatchObject({ agent: "bob", port: 1 });
  });

  it("and what is wrong is named as it was given, by flag or by variable", () => {
    const env = { LLM_MAILBOX_PORT: "http" };
    expect(refused(() => readConfig(env))).toContain("LLM_MAILBOX_PORT is malformed");
    expect(refused(() => readConfig(env, { port: "99999" }))).toContain(
      "--port (LLM_MAILBOX_PORT) is malformed",
    );
    expect(refused(() => readConfig({}, { logLevel: "loud" }))).toContain("--log-level (");
  });

  it("the environment over a file, a file over the default", () => {
    expect(readConfig({ REDIS_URL_FILE: file }).redisUrl).toBe("redis://from-file:1");
    expect(readConfig({ REDIS_URL_FILE: file, REDIS_URL: "redis://from-env:1" }).redisUrl).toBe(
      "redis://from-env:1",
    );
    expect(readConfig({ REDIS_URL_FILE: file }, { redisUrl: "redis://from-flag:1" }).redisUrl).toBe(
      "redis://from-flag:1",
    );
  });

  it("nobody, when the file cannot be read", () => {
    const message = refused(() => readConfig({ REDIS_URL_FILE: join(place, "absent") }));
    expect(message).toContain("REDIS_URL_FILE names a file that cannot be read");
  });
});

describe("an unknown variable of ours", () => {
  it("stops the start, with the one that was meant", () => {
    const message = refused(() => readConfig({ LLM_MAILBOX_NAMESPCE: "x" }));
    expect(message).toContain("LLM_MAILBOX_NAMESPCE is unknown; did you mean LLM_MAILBOX_NAMESPACE?");
  });

  it("stops the start with the list of all, when nothing is near", () => {
    const message = refused(() => readConfig({ LLM_MAILBOX_COLOUR_OF_THE_SKY: "blue" }));
    for (const name of names) expect(message).toContain(settings[name].env);
    expect(message).not.toContain("blue");
  });

  it("is not one that belongs to somebody else", () => {
    expect(readConfig({ PATH: "/bin", LLM_MAILBOXES: "x", llm_mailbox_agent: "x" })).toEqual(readConfig({}));
  });

  it("is a _FILE of a setting that is no secret", () => {
    expect(refused(() => readConfig({ LLM_MAILBOX_AGENT_FILE: "/etc/passwd" }))).toContain("is unknown");
  });
});

describe("a server elsewhere", () => {
  const plain = ["http://mail.example.org/mcp", "http://10.0.0.1:7678", "http://127.0.0.1.example.org"];

  it.each(plain)("at %s is refused, because what is sent there could be read on the way", (server) => {
    const message = refused(() => readConfig({}, { server }));
    expect(message).toContain("could be read on the way");
    expect(message).toContain("--plain-http");
    expect(message).not.toContain(server);
  });

  it.each(plain)("at %s is taken by whoever trusts the network and says so", (server) => {
    expect(readConfig({ LLM_MAILBOX_PLAIN_HTTP: "1" }, { server }).server).toBe(
      new URL(server).href.replace(/\/$/, "/mcp"),
    );
    expect(readConfig({}, { server, plainHttp: "1" }).server).toContain("/mcp");
  });

  it("is nobody's default, and neither is a channel", () => {
    expect(readConfig({}).server).toBeUndefined();
    expect(readConfig({}).channel).toBe(false);
  });
});
