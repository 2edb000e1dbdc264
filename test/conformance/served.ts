import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Served {
  readonly url: string;
  /** Ends the server as an operator would. Resolves with its status. */
  stop(): Promise<number | null>;
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const main = at("../../dist/main.js");
const overlaid = [
  ...["--import", "tsx", "--import", new URL("./overlay.ts", import.meta.url).href],
  at("./from-modules.mjs"),
];

/** The built `serve` on a free port and a store of its own, as it is or with the fixtures laid over it. */
export function serve({ fixtures }: { readonly fixtures: boolean }): Promise<Served> {
  const dataDir = mkdtempSync(join(tmpdir(), "mailbox-served-"));
  const child = spawn(process.execPath, [...(fixtures ? overlaid : [main]), "serve", "--port", "0"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      PATH: process.env.PATH!,
      HOME: process.env.HOME!,
      LLM_MAILBOX_DATA_DIR: dataDir,
      LLM_MAILBOX_ENGINE: "embedded",
      LLM_MAILBOX_ENGINE_IDLE_SECONDS: "2",
    },
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once("exit", (status) => {
      rmSync(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
      resolve(status);
    });
  });
  process.once("exit", () => child.kill("SIGKILL"));
  return new Promise((resolve, reject) => {
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const url = /MCP +(http:\S+)\?/.exec(said)?.[1];
      if (url === undefined) return;
      resolve({
        url,
        stop: () => {
          child.kill("SIGTERM");
          return ended;
        },
      });
    });
    void ended.then((status) => reject(new Error(`the server ended with ${status}:\n${said}`)));
  });
}
