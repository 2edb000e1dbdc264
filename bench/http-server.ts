import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const at = (program: string): string => fileURLToPath(new URL(program, import.meta.url));

/** A server process that says on standard error where it listens. */
export interface HttpServer {
  /** With `/mcp` at its end. */
  readonly url: string;
  readonly pid: number;
  close(): Promise<void>;
}

/** The built server; with `tools` it has those of the bench beside its own. */
export function serveOurs(
  redisUrl: string,
  { tools = false, env = {} }: { tools?: boolean; env?: Record<string, string> } = {},
): Promise<HttpServer> {
  const program = at(tools ? "./bench-server.mjs" : "../dist/main.js");
  return start([program, "serve", "--port", "0"], {
    REDIS_URL: redisUrl,
    LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
    ...env,
  });
}

/** The SDK's own handlers and adapter around a tool that does nothing. */
export function serveBare(): Promise<HttpServer> {
  return start([at("./bare-http.mjs")]);
}

/** A proxy in front of servers. */
export function serveProxy(servers: readonly HttpServer[]): Promise<HttpServer> {
  return start([at("./round-robin.mjs"), ...servers.map(({ url }) => url)]);
}

async function start(words: readonly string[], env: Record<string, string> = {}): Promise<HttpServer> {
  const child: ChildProcess = spawn(process.execPath, [...words], {
    stdio: ["ignore", "inherit", "pipe"],
    env: { ...process.env, ...env },
  });
  const lines = createInterface({ input: child.stderr! });
  let url: string | undefined;
  for await (const line of lines) {
    url = /MCP\s+(http\S+)\?agent/.exec(line)?.[1];
    if (url) break;
    process.stderr.write(`  ${line}\n`);
  }
  if (!url) throw new Error("the HTTP server did not start");
  child.stderr!.resume();
  return {
    url,
    pid: child.pid!,
    close: async () => {
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await gone;
    },
  };
}
