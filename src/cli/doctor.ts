import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { join } from "node:path";
import type { House } from "../compose.js";
import { type Config, type Flags, readConfig } from "../config/index.js";
import { isRefusal } from "../errors/index.js";
import * as mail from "../mailbox/index.js";
import { EngineError, type EngineReport, inspectEngine } from "../redis/engine/index.js";
import { type Finding, fail, ok, warn } from "./finding.js";
import { gitHookFindings } from "./git-hook-findings.js";
import { hookFindings } from "./hook-findings.js";
import { lasting, plural, printJson, printLine } from "./print.js";
import { endWith, terminal } from "./terminal.js";
import { packageVersion } from "./version.js";
import { operator, recordLook, type Switches, settingsOf, withHouseOf } from "./with-house.js";

const trust =
  "Processes of one operating-system user that open this store directly are one trust domain: whoever runs as that user can read and write what belongs to every agent, and issue tokens. Tokens keep agents apart as long as they only have their tools; for more, run llm-mailbox serve as another user and give each agent its token.";

const expiresSoonMs = 7 * 24 * 3_600_000;

const oldestNode = [20, 19] as const;
const slowMs = 250;
const clockWarnMs = 2_000;
const leastFreeBytes = 256 * 1024 * 1024;
const overdueOutboxMs = 60_000;

/**
 * Looks at everything that exchanging mail rests on, and at the hooks of clients, and says what is wrong and what to do
 * about it.
 */
export async function doctor(switches: Switches): Promise<void> {
  const findings: Finding[] = [nodeFinding(), ok("package", `llm-mailbox ${packageVersion()}`)];
  const { config, problems } = readSettings(switches);
  findings.push(...problems);
  if (config) {
    if (config.redisUrl === undefined) findings.push(...(await localFindings(config)));
    findings.push(...(await storeFindings(config)));
  }
  findings.push(...hookFindings(), ...(await gitHookFindings()));
  const failed = findings.some(({ state }) => state === "fail");
  if (switches.json) printJson({ healthy: !failed, findings, trust });
  else print(findings, failed);
  if (failed) endWith(1);
}

function print(findings: readonly Finding[], failed: boolean): void {
  const colours: Record<Finding["state"], number> = { ok: 32, warn: 33, fail: 31 };
  const isColoured = terminal().stdout.isTTY && !terminal().env.NO_COLOR;
  for (const { about, state, found, remedy } of findings) {
    const word = state.padEnd(4);
    printLine(
      `${isColoured ? `\x1b[${colours[state]}m${word}\x1b[0m` : word}  ${about.padEnd(12)}  ${found}`,
    );
    if (remedy) printLine(`${" ".repeat(20)}→ ${remedy}`);
  }
  printLine(`\n${trust}`);
  const warnings = findings.filter(({ state }) => state === "warn").length;
  printLine(
    failed
      ? "\nSomething is wrong: see the lines that say fail."
      : warnings > 0
        ? `\nIt works; ${plural(warnings, "thing")} to look at.`
        : "\nAll is well.",
  );
}

function nodeFinding(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const fits = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  const found = `Node.js ${process.versions.node}, ${process.platform} ${process.arch}`;
  return fits
    ? ok("node", found)
    : fail(
        "node",
        found,
        `install Node.js ${oldestNode.join(".")} or newer; older ones lack what this is built on`,
      );
}

/** Names every setting that is wrong, not only the first one, and goes on without them. */
function readSettings(switches: Switches): { config?: Config; problems: Finding[] } {
  const environment = { ...terminal().env };
  const flags: Record<string, string | undefined> = { ...settingsOf(switches) };
  const problems: Finding[] = [];
  for (;;) {
    try {
      const config = readConfig(environment, flags as Flags);
      const count = Object.keys(environment).filter((name) => name.startsWith("LLM_MAILBOX_")).length;
      if (problems.length === 0)
        problems.push(
          ok("settings", `namespace ${config.namespace}; ${plural(count, "LLM_MAILBOX_ variable")} set`),
        );
      return { config, problems };
    } catch (error) {
      if (!isRefusal(error, "config.invalid")) throw error;
      const { setting, problem, allowed } = error.facts as {
        setting: string;
        problem: string;
        allowed: string;
      };
      problems.push(fail("settings", `${setting} ${problem}`, `unset it or correct it; allowed: ${allowed}`));
      const flag = flagOf(setting);
      if (flag && flags[flag] !== undefined) delete flags[flag];
      else if (environment[setting] !== undefined) delete environment[setting];
      else return { problems };
    }
  }
}

function flagOf(setting: string): string | undefined {
  return {
    LLM_MAILBOX_AGENT: "agent",
    LLM_MAILBOX_DATA_DIR: "dataDir",
    LLM_MAILBOX_NAMESPACE: "namespace",
    REDIS_URL: "redisUrl",
  }[setting];
}

async function localFindings(config: Config): Promise<Finding[]> {
  const report = await inspectEngine(config.dataDir, config.engine);
  return [
    ...directoryFindings(config.dataDir, report),
    engineFinding(report),
    ...(report.socketPath ? [socketFinding(report.socketPath, report)] : []),
    ...report.staleLocks.map((path) =>
      warn("lock", `${path} was left by a process that has ended`, "nothing: the next start takes it away"),
    ),
  ];
}

function directoryFindings(dataDir: string, report: EngineReport): Finding[] {
  if (report.directory === "absent")
    return [ok("data", `${dataDir} is not there yet; the first start creates it`)];
  if (!report.own)
    return [
      fail(
        "data",
        `${dataDir} belongs to another user`,
        "name a directory of your own: --data-dir, or LLM_MAILBOX_DATA_DIR",
      ),
    ];
  const findings: Finding[] = [];
  const octal = report.mode?.toString(8).padStart(4, "0");
  if (report.mode !== undefined && (report.mode & 0o077) !== 0)
    findings.push(warn("data", `${dataDir} is open to other users (mode ${octal})`, `chmod 700 ${dataDir}`));
  else if (!isWritable(dataDir))
    findings.push(
      fail(
        "data",
        `${dataDir} cannot be written`,
        "restore your permission to write, or name another directory",
      ),
    );
  else
    findings.push(
      ok(
        "data",
        `${dataDir}${octal ? ` (mode ${octal})` : ""}${report.holds ? `, holds data of ${report.holds}` : ", empty"}`,
      ),
    );
  const { bavail, bsize } = statfsSync(dataDir);
  const free = bavail * bsize;
  if (free < leastFreeBytes)
    findings.push(
      warn(
        "disk",
        `${Math.round(free / 1024 / 1024)} MiB free`,
        "make room: a store that cannot write refuses new mail",
      ),
    );
  return findings;
}

function remedyAt(dataDir: string): string {
  return existsSync(join(dataDir, "engine.log"))
    ? `see engine.log in ${dataDir}`
    : "name another data directory: --data-dir, or LLM_MAILBOX_DATA_DIR";
}

function engineFinding(report: EngineReport): Finding {
  if (report.running && report.pulse === "pong")
    return ok("engine", `${report.running.label} is running (supervisor ${report.running.supervisor})`);
  if (report.refusal !== undefined) return fail("engine", "none can be started", report.refusal);
  const uses = report.wouldUse ?? "no engine";
  if (report.pulse === "silent")
    return warn(
      "engine",
      `something holds the socket and does not answer; a start would use ${uses}`,
      "see engine.log in the data directory",
    );
  if (report.pulse === "loading") return ok("engine", `${uses} is loading its data`);
  if (report.pulse === "pong")
    return warn(
      "engine",
      `${uses} answers, but its supervisor is gone`,
      "nothing: the next process that needs it starts a new one",
    );
  return ok("engine", `not running; a start uses ${uses}`);
}

function socketFinding(path: string, report: EngineReport): Finding {
  const bytes = Buffer.byteLength(path);
  return ok("socket", `${path} (${bytes} bytes)${report.pulse === "absent" ? ", nobody listens" : ""}`);
}

async function storeFindings(config: Config): Promise<Finding[]> {
  try {
    return await withHouseOf(config, look);
  } catch (error) {
    if (isRefusal(error, "store.tier_too_low"))
      return [
        fail(
          "durability",
          error.message,
          "give the store an append-only file synced always, or lower LLM_MAILBOX_TIER",
        ),
      ];
    if (!isRefusal(error) && !(error instanceof EngineError)) throw error;
    return [
      fail(
        "store",
        (error as Error).message,
        config.redisUrl === undefined
          ? remedyAt(config.dataDir)
          : "check REDIS_URL, and that this machine reaches that server",
      ),
    ];
  }
}

async function look(house: House, { namespace }: Config): Promise<Finding[]> {
  const { store } = house;
  await recordLook(house, "agents.find", "*");
  const tookMs: number[] = [];
  for (let n = 0; n < 5; n++) {
    const before = performance.now();
    await mail.inspectMailbox(house.mail, namespace, "operator");
    tookMs.push(performance.now() - before);
  }
  const ms = tookMs.sort((a, b) => a - b)[2]!;
  const answers = `${store.label} answers a script in ${ms.toFixed(1)} ms`;
  const server = await serverFacts(house);
  const [census, outboxes, dead] = await Promise.all([
    house.runs.census(),
    mail.waitingOutboxes(house.mail, namespace),
    deadLetters(house),
  ]);
  return [
    ms > slowMs
      ? warn("store", answers, "look at the load of the store and the way to it")
      : ok("store", answers),
    durabilityFinding(store.tier),
    clockFinding(store.now() - Date.now()),
    ...server,
    ...(await namesFindings(house)),
    ok(
      "runs",
      `${plural(census.living.length, "run")} alive in ${plural(census.processes, "process", "processes")}` +
        (census.gone.length > 0
          ? `; ${plural(census.gone.length, "run")} gone, given back with the next sweep`
          : ""),
    ),
    outboxFinding(outboxes, census.processes),
    dead > 0
      ? warn(
          "dead letters",
          plural(dead, "dead letter"),
          "llm-mailbox dead-letters lists them; requeue or purge them",
        )
      : ok("dead letters", "none"),
  ];
}

/** Whether names are proved here, by what, and what will end soon. */
async function namesFindings({ config, access, tokens, store }: House): Promise<Finding[]> {
  const { tokensRequired } = await access.rules(config.namespace);
  const all = await tokens.list(operator(config));
  const live = all.filter(({ state }) => state === "live");
  const soon = live.filter(
    ({ expiresAt }) => expiresAt !== undefined && expiresAt - store.now() < expiresSoonMs,
  );
  const jwt = config.jwtJwks === undefined ? "" : "; JWTs of one issuer are accepted";
  const agents = new Set(live.map(({ agent }) => agent)).size;
  const proved = `proved by tokens: ${plural(live.length, "token")} of ${plural(agents, "agent")} ${live.length === 1 ? "holds" : "hold"}`;
  const findings: Finding[] = [];
  if (tokensRequired && live.length === 0 && jwt === "")
    findings.push(
      warn("names", "tokens are required and none holds: no agent can call", "llm-mailbox agents issue NAME"),
    );
  else if (tokensRequired) findings.push(ok("names", `${proved}${jwt}`));
  else if (config.redisUrl !== undefined && !config.allowUnverified)
    findings.push(
      ok(
        "names",
        `no tokens yet, and a name alone is not believed on a store of yours: llm-mailbox agents issue NAME${jwt}`,
      ),
    );
  else
    findings.push(
      ok(
        "names",
        `not proved: each process says its own, and its messages are marked (unverified); llm-mailbox agents issue NAME changes that${jwt}`,
      ),
    );
  if (soon.length > 0)
    findings.push(
      warn(
        "tokens",
        `${plural(soon.length, "token")} ${soon.length === 1 ? "expires" : "expire"} within 7 days: ${soon
          .slice(0, 10)
          .map(({ id, agent }) => `${id} (${agent})`)
          .join(", ")}${soon.length > 10 ? " and more" : ""}`,
        "llm-mailbox agents rotate TOKEN-ID, and give the agent the new one",
      ),
    );
  return findings;
}

function durabilityFinding(tier: House["store"]["tier"]): Finding {
  const found = {
    D0: "D0: in memory only; what was accepted is lost when the store ends",
    D1: "D1: written, synced each second; a crash of the store may lose the last second",
    D2: "D2: on disk before each answer",
    D3: "D3: on disk, and on a replica, before each answer",
  }[tier];
  if (tier === "D0")
    return warn("durability", found, "set appendonly yes and appendfsync always in the store");
  if (tier === "D1") return warn("durability", found, "set appendfsync always in the store");
  return ok("durability", found);
}

function clockFinding(differenceMs: number): Finding {
  const found = `the store's clock differs from ours by ${Math.round(Math.abs(differenceMs))} ms`;
  return Math.abs(differenceMs) > clockWarnMs
    ? warn("clock", found, "synchronise both clocks: times that people see are the store's")
    : ok("clock", found);
}

/** What a server says of itself; a hosted one may refuse to. */
async function serverFacts({ store, config }: House): Promise<Finding[]> {
  try {
    const info = String(await store.command("INFO"));
    const fact = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1];
    const version = fact("valkey_version") ?? fact("redis_version");
    const policy = fact("maxmemory_policy");
    const findings = [
      ok(
        "server",
        [
          `version ${version ?? "unknown"}`,
          `clients connected: ${fact("connected_clients") ?? "unknown"}`,
          // The embedded engine does not know.
          ...(Number(fact("used_memory")) > 0 ? [`${fact("used_memory_human")} in memory`] : []),
        ].join(", "),
      ),
    ];
    if (
      config.redisUrl !== undefined &&
      policy !== undefined &&
      policy !== "noeviction" &&
      fact("maxmemory") !== "0"
    )
      findings.push(
        fail(
          "eviction",
          `the store drops keys when its memory is full (maxmemory-policy ${policy})`,
          "set maxmemory-policy noeviction: a full store must refuse, not forget mail",
        ),
      );
    return findings;
  } catch {
    return [ok("server", "tells nothing of itself")];
  }
}

function outboxFinding(
  { count, overdueMs }: { readonly count: number; readonly overdueMs: number },
  processes: number,
): Finding {
  if (count === 0) return ok("outboxes", "nothing waits to be delivered");
  const found = `${plural(count, "outbox", "outboxes")} with recipients to be reached, the longest due for ${lasting(overdueMs / 1000)}`;
  if (overdueMs < overdueOutboxMs) return ok("outboxes", found);
  return warn(
    "outboxes",
    found,
    processes === 0
      ? "start any agent, or llm-mailbox serve: a running process delivers what is due"
      : "see the logs of the running processes for why they do not deliver it",
  );
}

async function deadLetters(house: House): Promise<number> {
  const mailboxes = await house.directory.mailboxes(house.config.namespace);
  const counts = await Promise.all(
    mailboxes.map((mailbox) => mail.inspectMailbox(house.mail, house.config.namespace, mailbox)),
  );
  return counts.reduce((sum, { dead }) => sum + dead, 0);
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
