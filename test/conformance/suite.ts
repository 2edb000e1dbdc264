import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Revision } from "./expected.js";

/** One thing a scenario looked at. The suite counts a scenario as passed when none of its checks is a FAILURE. */
export interface Check {
  readonly id: string;
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO";
  readonly errorMessage?: string;
}

export interface Report {
  /** What came of each scenario, by its name. */
  readonly checks: ReadonlyMap<string, readonly Check[]>;
  /** The suite's own word: every scenario that the revision requires was passed. */
  readonly passed: boolean;
}

export interface Suite {
  /** Runs what a revision requires, at that revision's wire, and what it reports beside. */
  run(url: string, revision: Revision): Promise<Report>;
  /** The scenarios that a revision requires of a server. */
  required(revision: Revision): Promise<readonly string[]>;
}

const folder = fileURLToPath(new URL("./suite/", import.meta.url));

/**
 * Installs the suite into a folder of its own by its lock, unless that was done before. It needs Node 22 and we run on
 * older ones, so the lock has one beside it.
 */
export async function installSuite(): Promise<Suite> {
  const isNewEnough = Number(process.versions.node.split(".")[0]) >= 22;
  const wanted = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .update(isNewEnough ? "" : `${process.platform} ${process.arch}`)
    .digest("hex");
  const stamp = join(folder, "node_modules", ".installed");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    await npm("ci", "--ignore-scripts", ...(isNewEnough ? ["--omit=optional"] : []));
    writeFileSync(stamp, wanted);
  }
  const node = isNewEnough
    ? process.execPath
    : join(packaged(`node-${process.platform}-${process.arch}`), "bin/node");
  const program = join(folder, "node_modules/@modelcontextprotocol/conformance/dist/index.js");
  const call = (...args: readonly string[]): Promise<Ended> => end(node, [program, ...args]);
  return {
    run: async (url, revision) => {
      const results = mkdtempSync(join(tmpdir(), "mailbox-conformance-"));
      try {
        const asked = ["server", "--url", url, "--requirements", revision, "--output-dir", results];
        const { status } = await call(...asked);
        return { checks: readResults(results), passed: status === 0 };
      } finally {
        rmSync(results, { recursive: true, force: true });
      }
    },
    required: async (revision) => {
      const { out } = await call("list", "--requirements", revision);
      const servers = /^Server scenarios.*\n((?: +- .*\n)*)/m.exec(out)?.[1] ?? "";
      return [...servers.matchAll(/- (\S+)/g)].map(([, name]) => name!);
    },
  };
}

function packaged(name: string): string {
  try {
    return dirname(createRequire(join(folder, "package.json")).resolve(`${name}/package.json`));
  } catch (cause) {
    const problem = `there is no Node 22 for ${process.platform} ${process.arch} in ${folder}package.json`;
    throw new Error(`${problem}; run this with Node 22 or newer`, { cause });
  }
}

async function npm(...args: readonly string[]): Promise<void> {
  const all = [...args, "--no-audit", "--no-fund", "--loglevel=error"];
  const { npm_execpath: script } = process.env;
  const { status, err } = await (script ? end(process.execPath, [script, ...all]) : end("npm", all));
  if (status !== 0) throw new Error(`the suite cannot be installed: npm ended with ${status}\n${err}`);
}

interface Ended {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Rejects when the program could not be started, or did not end by itself. */
function end(program: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const limits = { cwd: folder, timeout: 150_000, maxBuffer: 64 * 1024 * 1024 };
    execFile(program, args, limits, (error, out, err) => {
      const status = error ? error.code : 0;
      if (typeof status === "number") resolve({ status, out, err });
      else reject(error);
    });
  });
}

function readResults(results: string): Report["checks"] {
  const report = new Map<string, readonly Check[]>();
  for (const folderName of readdirSync(results)) {
    const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(folderName)?.[1];
    if (scenario === undefined) throw new Error(`what is ${folderName}?`);
    if (report.has(scenario)) throw new Error(`${scenario} was run twice`);
    report.set(
      scenario,
      JSON.parse(readFileSync(join(results, folderName, "checks.json"), "utf8")) as readonly Check[],
    );
  }
  return report;
}
