/** Measures what the documentation promises, and prints a table. */
import { cpus, totalmem } from "node:os";
import { backlog } from "./backlog.js";
import { burst } from "./burst.js";
import { calls } from "./calls.js";
import { checks } from "./checks.js";
import { decisions } from "./decisions.js";
import type { Finding, Measurement } from "./finding.js";
import { http } from "./http.js";
import { locks } from "./locks.js";
import { policy } from "./policy.js";
import { publish } from "./publish.js";
import { start } from "./start.js";
import { availableStores, startStore } from "./stores.js";
import { waiters } from "./waiters.js";
import { wake } from "./wake.js";
import { words } from "./words.js";

const measurements: readonly Measurement[] = [
  calls,
  wake,
  locks,
  checks,
  publish,
  backlog,
  burst,
  decisions,
  policy,
  words,
  waiters,
  http,
  start,
];

const usage = `npm run bench -- [--quick] [--only NAME]… [--store NAME]…
  measurements: ${measurements.map(({ name }) => name).join(", ")}
  stores: ${availableStores().join(", ")}`;

interface Asked {
  readonly quick: boolean;
  readonly only: readonly string[];
  readonly stores: readonly string[];
}

function ask(args: readonly string[]): Asked | undefined {
  const only: string[] = [];
  const stores: string[] = [];
  let quick = false;
  for (let n = 0; n < args.length; n++) {
    if (args[n] === "--quick") quick = true;
    else if (args[n] === "--only" && measurements.some(({ name }) => name === args[n + 1]))
      only.push(args[++n]!);
    else if (args[n] === "--store" && availableStores().some((name) => name === args[n + 1]))
      stores.push(args[++n]!);
    else return undefined;
  }
  return { quick, only, stores };
}

function table(findings: readonly Finding[]): string {
  const rows = findings.map((one) => [
    one.what,
    one.store,
    one.value,
    one.aim ?? "shown",
    one.met === undefined ? "–" : one.met ? "yes" : "**missed**",
    one.beside,
  ]);
  const head = ["what", "store", "measured", "aim", "met", "beside it"];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const asked = ask(process.argv.slice(2));
if (!asked) {
  console.error(usage);
  process.exit(2);
}
const tell = (line: string): void => void process.stderr.write(`${line}\n`);
const chosen = measurements.filter(({ name }) => asked.only.length === 0 || asked.only.includes(name));
const stores = availableStores().filter((name) => asked.stores.length === 0 || asked.stores.includes(name));
const findings: Finding[] = [];
let failed = false;
for (const measurement of chosen)
  for (const name of measurement.once ? stores.slice(0, 1) : stores) {
    tell(`${measurement.name} on ${name} …`);
    const store = await startStore(name);
    const from = Date.now();
    try {
      findings.push(...(await measurement.measure(store, { quick: asked.quick, tell })));
      tell(`  ${((Date.now() - from) / 1000).toFixed(0)} s`);
    } catch (error) {
      failed = true;
      tell(`  failed: ${(error as Error).stack}`);
    } finally {
      await store.stop();
    }
  }
const raised = chosen.flatMap(({ name, raised: limits }) =>
  limits
    ? [
        `${name}: ${Object.entries(limits)
          .map(([key, value]) => `\`${key}=${value}\``)
          .join(" ")}`,
      ]
    : [],
);
console.log(
  [
    `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${process.platform}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, ${Math.round(totalmem() / 2 ** 30)} GiB${asked.quick ? "; a quick run: too short to rely on" : ""}`,
    "",
    table(findings),
    "",
    ...(raised.length > 0 ? ["Limits that were raised:", "", ...raised.map((line) => `- ${line}`)] : []),
  ].join("\n"),
);
process.exit(failed ? 1 : 0);
