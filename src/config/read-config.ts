import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { isAgentName, isNamespace, nearest } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import { jwtAlgorithms } from "../identity/index.js";
import { defaultDataDir } from "./data-dir.js";
import { isReadableOnTheWay, serverUrl } from "./server-url.js";

interface Setting {
  readonly env: string;
  readonly allowed: string;
  /** Undefined when the text is not allowed. */
  readonly parse: (text: string) => string | number | boolean | readonly string[] | undefined;
  /** A secret may also come from a file, named by the same variable with `_FILE`. */
  readonly secret?: boolean;
}

const count = (most: number) => ({
  allowed: `a whole number from 1 to ${most}`,
  parse: (text: string): number | undefined =>
    /^\d{1,15}$/.test(text) && Number(text) >= 1 && Number(text) <= most ? Number(text) : undefined,
});
const oneOf = (...words: readonly string[]) => ({
  allowed: words.join(", "),
  parse: (text: string): string | undefined => (words.includes(text) ? text : undefined),
});
const anyText = { allowed: "text", parse: (text: string): string | undefined => text || undefined };
/** Words separated by commas, each of a form. */
const listOf = (allowed: string, form: RegExp) => ({
  allowed,
  parse: (text: string): readonly string[] | undefined => {
    const words = text.split(",").map((word) => word.trim());
    return words.every((word) => form.test(word)) ? words : undefined;
  },
});
const claim = {
  allowed: "the name of a claim",
  parse: (text: string): string | undefined => (/^[\w.:/-]{1,200}$/.test(text) ? text : undefined),
};
const yesNo = {
  allowed: "1 or 0",
  parse: (text: string): boolean | undefined =>
    text === "1" || text === "true" ? true : text === "0" || text === "false" ? false : undefined,
};

/** Every setting there is; documented in docs/operations.md, held to it by a test. */
export const settings = {
  redisUrl: {
    env: "REDIS_URL",
    secret: true,
    ...anyText,
    allowed: "redis://, rediss://, unix://, redis+cluster:// or redis+sentinel://",
  },
  dataDir: { env: "LLM_MAILBOX_DATA_DIR", ...anyText, allowed: "a directory" },
  engine: { env: "LLM_MAILBOX_ENGINE", ...oneOf("auto", "embedded", "redis-server") },
  engineIdleSeconds: { env: "LLM_MAILBOX_ENGINE_IDLE_SECONDS", ...count(86_400) },
  tier: { env: "LLM_MAILBOX_TIER", ...oneOf("D0", "D1", "D2") },
  namespace: {
    env: "LLM_MAILBOX_NAMESPACE",
    allowed: "1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit",
    parse: (text) => (isNamespace(text) ? text : undefined),
  },
  agent: {
    env: "LLM_MAILBOX_AGENT",
    allowed:
      "1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit, not everyone, postmaster or operator",
    parse: (text) => (isAgentName(text) ? text : undefined),
  },
  guardTokens: {
    env: "LLM_MAILBOX_GUARD_TOKENS",
    ...anyText,
    allowed: "RESOURCE=TOKEN, several of them parted by commas or line breaks",
  },
  server: {
    env: "LLM_MAILBOX_SERVER",
    allowed: "an http:// or https:// address without a password in it",
    parse: serverUrl,
  },
  plainHttp: { env: "LLM_MAILBOX_PLAIN_HTTP", ...yesNo },
  channel: { env: "LLM_MAILBOX_CHANNEL", ...yesNo },
  token: { env: "LLM_MAILBOX_TOKEN", secret: true, ...anyText, allowed: "a token, or a JWT" },
  allowUnverified: { env: "LLM_MAILBOX_ALLOW_UNVERIFIED", ...yesNo },
  jwtJwks: {
    env: "LLM_MAILBOX_JWKS",
    ...anyText,
    allowed: "a file, or an https: address",
  },
  jwtIssuer: { env: "LLM_MAILBOX_JWT_ISSUER", ...anyText, allowed: "the iss of the JWTs, exactly" },
  jwtAudience: { env: "LLM_MAILBOX_JWT_AUDIENCE", ...anyText, allowed: "an aud of the JWTs, exactly" },
  jwtAlgorithms: {
    env: "LLM_MAILBOX_JWT_ALGORITHMS",
    ...listOf(`some of ${jwtAlgorithms.join(", ")}`, new RegExp(`^(${jwtAlgorithms.join("|")})$`)),
  },
  jwtAgentClaim: { env: "LLM_MAILBOX_JWT_AGENT_CLAIM", ...claim },
  jwtNamespaceClaim: { env: "LLM_MAILBOX_JWT_NAMESPACE_CLAIM", ...claim },
  jwtRolesClaim: { env: "LLM_MAILBOX_JWT_ROLES_CLAIM", ...claim },
  logLevel: { env: "LLM_MAILBOX_LOG_LEVEL", ...oneOf("debug", "info", "warn", "error", "silent") },
  structured: { env: "LLM_MAILBOX_STRUCTURED", ...yesNo },
  host: {
    env: "LLM_MAILBOX_HOST",
    ...anyText,
    allowed: "a loopback address, or any other where credentials are required",
  },
  allowedHosts: {
    env: "LLM_MAILBOX_ALLOWED_HOSTS",
    ...listOf(
      "host names or addresses, separated by commas, without a port",
      /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[?[0-9a-f:.]{2,45}\]?)$/i,
    ),
  },
  allowedOrigins: {
    env: "LLM_MAILBOX_ALLOWED_ORIGINS",
    ...listOf("origins such as https://app.example, separated by commas", /^https?:\/\/[^/?#@\s*]{1,253}$/i),
  },
  publicUrl: {
    env: "LLM_MAILBOX_PUBLIC_URL",
    allowed: "http:// or https://, a host and perhaps a port",
    parse: (text) =>
      /^https?:\/\/[^/?#@\s]+\/?$/i.test(text) && URL.canParse(text) ? text.replace(/\/$/, "") : undefined,
  },
  auditKeyFile: {
    env: "LLM_MAILBOX_AUDIT_KEY_FILE",
    ...anyText,
    allowed: "a file with an Ed25519 private key, made when there is none",
  },
  filesDir: { env: "LLM_MAILBOX_FILES_DIR", ...anyText, allowed: "a directory agents may attach files from" },
  port: {
    env: "LLM_MAILBOX_PORT",
    allowed: "a port from 0 to 65535",
    parse: (text) => (/^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined),
  },
  mailboxMessages: { env: "LLM_MAILBOX_MAX_MESSAGES", ...count(10_000_000) },
  senderMessages: { env: "LLM_MAILBOX_MAX_MESSAGES_PER_SENDER", ...count(10_000_000) },
  mailboxBytes: { env: "LLM_MAILBOX_MAX_MAILBOX_BYTES", ...count(1e12) },
  bodyBytes: { env: "LLM_MAILBOX_MAX_BODY_BYTES", ...count(16 * 1024 * 1024) },
  attachmentBytes: { env: "LLM_MAILBOX_MAX_ATTACHMENT_BYTES", ...count(256 * 1024 * 1024) },
  uploadBytes: { env: "LLM_MAILBOX_MAX_UPLOAD_BYTES_PER_DAY", ...count(16 * 1024 ** 3) },
  recipients: { env: "LLM_MAILBOX_MAX_RECIPIENTS", ...count(100_000) },
  sendsPerMinute: { env: "LLM_MAILBOX_MAX_SENDS_PER_MINUTE", ...count(1e9) },
  callsPerMinute: { env: "LLM_MAILBOX_MAX_CALLS_PER_MINUTE", ...count(1e9) },
  conversationMessages: { env: "LLM_MAILBOX_MAX_CONVERSATION", ...count(1e6) },
  historySeconds: { env: "LLM_MAILBOX_HISTORY_SECONDS", ...count(1e9) },
  claimSeconds: { env: "LLM_MAILBOX_CLAIM_SECONDS", ...count(86_400) },
  failures: { env: "LLM_MAILBOX_MAX_FAILURES", ...count(100) },
  connections: { env: "LLM_MAILBOX_MAX_CONNECTIONS", ...count(1e6) },
  sessions: { env: "LLM_MAILBOX_MAX_SESSIONS", ...count(1e6) },
  sessionsPerAgent: { env: "LLM_MAILBOX_MAX_SESSIONS_PER_AGENT", ...count(1e6) },
  streamsPerAgent: { env: "LLM_MAILBOX_MAX_STREAMS_PER_AGENT", ...count(1e6) },
  callsInFlight: { env: "LLM_MAILBOX_MAX_CALLS_IN_FLIGHT", ...count(1e6) },
  headerBytes: { env: "LLM_MAILBOX_MAX_HEADER_BYTES", ...count(1024 * 1024) },
  headers: { env: "LLM_MAILBOX_MAX_HEADERS", ...count(10_000) },
  requestSeconds: { env: "LLM_MAILBOX_MAX_REQUEST_SECONDS", ...count(3_600) },
  unreadBytes: { env: "LLM_MAILBOX_MAX_UNREAD_BYTES", ...count(1e9) },
  lockDelaySeconds: {
    env: "LLM_MAILBOX_LOCK_DELAY_SECONDS",
    allowed: "a whole number from 0 to 86400",
    parse: (text) => (/^\d{1,5}$/.test(text) && Number(text) <= 86_400 ? Number(text) : undefined),
  },
  stateValueBytes: { env: "LLM_MAILBOX_MAX_STATE_VALUE_BYTES", ...count(1024 * 1024) },
  stateGroupEntries: { env: "LLM_MAILBOX_MAX_STATE_ENTRIES", ...count(1e6) },
  stateNamespaceBytes: { env: "LLM_MAILBOX_MAX_STATE_BYTES", ...count(1e12) },
  reservationSeconds: { env: "LLM_MAILBOX_RESERVATION_SECONDS", ...count(86_400) },
  stateVersions: { env: "LLM_MAILBOX_MAX_STATE_VERSIONS", ...count(1_000) },
} as const satisfies Record<string, Setting>;

type SettingName = keyof typeof settings;

export interface Config {
  readonly redisUrl?: string;
  readonly dataDir: string;
  readonly engine: "auto" | "embedded" | "redis-server";
  readonly engineIdleMs: number;
  readonly tier?: "D0" | "D1" | "D2";
  readonly namespace: string;
  /** Whether the namespace was set, so that another one of a credential contradicts it. */
  readonly isNamespaceSet: boolean;
  readonly agent?: string;
  /** What `guard` is told that its agent holds, as RESOURCE=TOKEN. */
  readonly guardTokens?: string;
  /** A server that owns the store, instead of a store of this process. */
  readonly server?: string;
  /** Whether what is sent to the server may be read on the way. */
  readonly plainHttp: boolean;
  /** Tells a client that takes them of new mail through its channel. */
  readonly channel: boolean;
  /** What proves who a stdio process is, here or at the server it relays to. */
  readonly token?: string;
  /** Whether names are believed on a store of yours where nobody has issued a token yet. */
  readonly allowUnverified: boolean;
  /** Where JWTs come from; all of the first three or none. */
  readonly jwtJwks?: string;
  readonly jwtIssuer?: string;
  readonly jwtAudience?: string;
  readonly jwtAlgorithms: readonly string[];
  readonly jwtAgentClaim: string;
  readonly jwtNamespaceClaim: string;
  readonly jwtRolesClaim: string;
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  readonly structured: boolean;
  readonly host: string;
  readonly port: number;
  /** The key that signs what was sealed of the audit; without it, one in the data directory. */
  readonly auditKeyFile?: string;
  /** Names by which other machines call this server, and pages that may call it. */
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** The address of the server as its clients know it. */
  readonly publicUrl?: string;
  /** The one folder from which agents may attach files by name; without it, none. */
  readonly filesDir?: string;
  /** Only what was set: each room knows its own defaults. */
  readonly limits: {
    readonly mailboxMessages?: number;
    readonly senderMessages?: number;
    readonly mailboxBytes?: number;
    readonly bodyBytes?: number;
    readonly attachmentBytes?: number;
    readonly uploadBytes?: number;
    readonly recipients?: number;
    readonly sendsPerMinute?: number;
    readonly callsPerMinute?: number;
    readonly conversationMessages?: number;
    readonly historyMs?: number;
    readonly claimMs?: number;
    readonly failures?: number;
  };
  /** What clients over HTTP may take of the process; only what was set. */
  readonly http: {
    readonly connections?: number;
    readonly sessions?: number;
    readonly sessionsPerAgent?: number;
    readonly streamsPerAgent?: number;
    readonly callsInFlight?: number;
    readonly headerBytes?: number;
    readonly headers?: number;
    readonly requestSeconds?: number;
    readonly unreadBytes?: number;
  };
  readonly lockLimits: { readonly delayMs?: number };
  readonly policyLimits: { readonly reservationMs?: number };
  /** What shared state holds, likewise. */
  readonly stateLimits: {
    readonly valueBytes?: number;
    readonly groupEntries?: number;
    readonly namespaceBytes?: number;
    readonly versions?: number;
  };
}

/** What the command line may set, by the name of the setting. */
export type Flags = Partial<Record<SettingName, string>>;

/**
 * Reads and checks the settings once, at the start: flags win over the environment, the environment over a `_FILE`.
 *
 * @throws {MailboxError} `config.invalid` naming the setting and what is allowed, also for an unknown `LLM_MAILBOX_…`
 */
export function readConfig(env: NodeJS.ProcessEnv, flags: Flags = {}): Config {
  refuseUnknown(env);
  const given = <T>(key: SettingName): T | undefined => {
    const setting: Setting = settings[key];
    const text = flags[key] ?? textOf(setting, env);
    if (text === undefined) return undefined;
    const value = setting.parse(text.trim());
    if (value === undefined)
      refuse("config.invalid", {
        setting: flags[key] === undefined ? setting.env : `${flagOf(key)} (${setting.env})`,
        problem: "is malformed",
        allowed: setting.allowed,
      });
    return value as T;
  };
  const seconds = (key: SettingName): number | undefined => {
    const value = given<number>(key);
    return value === undefined ? undefined : value * 1000;
  };
  const limits = present({
    mailboxMessages: given<number>("mailboxMessages"),
    senderMessages: given<number>("senderMessages"),
    mailboxBytes: given<number>("mailboxBytes"),
    bodyBytes: given<number>("bodyBytes"),
    attachmentBytes: given<number>("attachmentBytes"),
    uploadBytes: given<number>("uploadBytes"),
    recipients: given<number>("recipients"),
    sendsPerMinute: given<number>("sendsPerMinute"),
    callsPerMinute: given<number>("callsPerMinute"),
    conversationMessages: given<number>("conversationMessages"),
    historyMs: seconds("historySeconds"),
    claimMs: seconds("claimSeconds"),
    failures: given<number>("failures"),
  });
  const server = given<string>("server");
  const plainHttp = given<boolean>("plainHttp") ?? false;
  if (server !== undefined && isReadableOnTheWay(server) && !plainHttp)
    refuse("config.invalid", {
      setting: "--server (LLM_MAILBOX_SERVER)",
      problem: "is plain http to another machine, so token and mail could be read on the way",
      allowed:
        "https://, or http:// to this machine; or --plain-http (LLM_MAILBOX_PLAIN_HTTP=1) where the network is trusted",
    });
  const http = present({
    connections: given<number>("connections"),
    sessions: given<number>("sessions"),
    sessionsPerAgent: given<number>("sessionsPerAgent"),
    streamsPerAgent: given<number>("streamsPerAgent"),
    callsInFlight: given<number>("callsInFlight"),
    headerBytes: given<number>("headerBytes"),
    headers: given<number>("headers"),
    requestSeconds: given<number>("requestSeconds"),
    unreadBytes: given<number>("unreadBytes"),
  });
  const stateLimits = present({
    valueBytes: given<number>("stateValueBytes"),
    groupEntries: given<number>("stateGroupEntries"),
    namespaceBytes: given<number>("stateNamespaceBytes"),
    versions: given<number>("stateVersions"),
  });
  return Object.freeze({
    ...present({
      redisUrl: given<string>("redisUrl"),
      tier: given<NonNullable<Config["tier"]>>("tier"),
      agent: given<string>("agent"),
      auditKeyFile: given<string>("auditKeyFile"),
      server,
      guardTokens: given<string>("guardTokens"),
      filesDir: given<string>("filesDir"),
      token: given<string>("token"),
      jwtJwks: given<string>("jwtJwks"),
      jwtIssuer: given<string>("jwtIssuer"),
      jwtAudience: given<string>("jwtAudience"),
      publicUrl: given<string>("publicUrl"),
    }),
    dataDir: resolve(given<string>("dataDir") ?? defaultDataDir(env)),
    engine: given<Config["engine"]>("engine") ?? "auto",
    engineIdleMs: seconds("engineIdleSeconds") ?? 60_000,
    namespace: given<string>("namespace") ?? "default",
    isNamespaceSet: given<string>("namespace") !== undefined,
    allowUnverified: given<boolean>("allowUnverified") ?? false,
    jwtAlgorithms: Object.freeze(given<readonly string[]>("jwtAlgorithms") ?? ["RS256", "ES256", "EdDSA"]),
    jwtAgentClaim: given<string>("jwtAgentClaim") ?? "sub",
    jwtNamespaceClaim: given<string>("jwtNamespaceClaim") ?? "namespace",
    jwtRolesClaim: given<string>("jwtRolesClaim") ?? "roles",
    allowedHosts: Object.freeze(given<readonly string[]>("allowedHosts") ?? []),
    allowedOrigins: Object.freeze(given<readonly string[]>("allowedOrigins") ?? []),
    logLevel: given<Config["logLevel"]>("logLevel") ?? "warn",
    channel: given<boolean>("channel") ?? false,
    plainHttp,
    structured: given<boolean>("structured") ?? false,
    host: given<string>("host") ?? "127.0.0.1",
    port: given<number>("port") ?? 7678,
    limits: Object.freeze(limits),
    http: Object.freeze(http),
    lockLimits: Object.freeze(present({ delayMs: seconds("lockDelaySeconds") })),
    policyLimits: Object.freeze(present({ reservationMs: seconds("reservationSeconds") })),
    stateLimits: Object.freeze(stateLimits),
  });
}

/** `dataDir` → `--data-dir`: what was typed is what is told to be wrong. */
function flagOf(key: SettingName): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function textOf(setting: Setting, env: NodeJS.ProcessEnv): string | undefined {
  const text = env[setting.env];
  if (text !== undefined && text !== "") return text;
  const file = setting.secret ? env[`${setting.env}_FILE`] : undefined;
  if (!file) return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    return refuse(
      "config.invalid",
      {
        setting: `${setting.env}_FILE`,
        problem: "names a file that cannot be read",
        allowed: "a readable file",
      },
      { cause: error },
    );
  }
}

function refuseUnknown(env: NodeJS.ProcessEnv): void {
  const known = new Set(
    Object.values(settings).flatMap((setting: Setting) => [
      setting.env,
      ...(setting.secret ? [`${setting.env}_FILE`] : []),
    ]),
  );
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith("LLM_MAILBOX_") || known.has(variable)) continue;
    const meant = nearest(variable, known);
    refuse("config.invalid", {
      setting: variable.slice(0, 60),
      problem: meant ? `is unknown; did you mean ${meant}?` : "is unknown",
      allowed: [...known].join(", "),
    });
  }
}

function present<T extends Record<string, unknown>>(
  values: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
