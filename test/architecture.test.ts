import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type House, hasParser, readHouse } from "./architecture/house.js";
import { homes, plan } from "./architecture/plan.js";
import { rules } from "./architecture/rules.js";

const root = fileURLToPath(new URL("..", import.meta.url));

describe("the house", () => {
  let house: House;
  beforeAll(async () => {
    expect(hasParser()).toBe(true);
    house = await readHouse(root);
  });

  it.each(Object.keys(rules))("%s", (name) => {
    const { looked, broken } = rules[name]!(house);
    expect(broken).toEqual([]);
    expect(looked).toBeGreaterThan(0);
  });

  it("has a place in the plan for every folder", () => {
    const folders = new Set(
      [...house.modules].map((path) => path.split("/")[1]!).filter((name) => !name.endsWith(".ts")),
    );
    expect(folders.size).toBeGreaterThan(5);
    for (const folder of folders) expect(Object.keys(plan)).toContain(folder);
  });

  it("has its tests in rooms of the same names, beside those that look at the whole", () => {
    const whole = ["architecture", "conformance", "faults", "model", "protocol", "stores"];
    const folders = readdirSync(join(root, "test"), { withFileTypes: true }).filter((one) =>
      one.isDirectory(),
    );
    expect(folders.length).toBeGreaterThan(5);
    for (const { name } of folders) expect([...whole, ...Object.keys(plan)]).toContain(name);
  });

  it("uses at least the drivers of its store, its protocol, its log and its command line", () => {
    const used = new Set(house.imports.filter(({ kind }) => kind === "package").map(({ to }) => to));
    for (const driver of [
      "ioredis",
      "js-redis-server",
      "@modelcontextprotocol/server",
      "pino",
      "commander",
    ]) {
      expect(used).toContain(driver);
      expect(Object.keys(homes)).toContain(driver);
    }
  });
});

/** A small house in which each rule is broken once, beside what it must not mistake for a breach. */
const planted: Readonly<Record<string, string>> = {
  "src/main.ts": 'import { run } from "./cli/index.js";\nrun();\n',
  "src/compose.ts": 'import { send } from "./mailbox/index.js";\nexport const house = send;\n',
  "src/cli/index.ts":
    '/** The command line, with nothing wrong in it. */\nexport function run(): void {\n  process.stdout.write("hello");\n}\n',
  "src/errors/index.ts": "/** What goes wrong, in words people understand. */\nexport const no = 1;\n",
  "src/redis/index.ts":
    '/** The store of this small house of ours. */\nimport { Redis } from "ioredis";\nexport const store = Redis;\nexport type Store = number;\n',
  "src/redis/keys.ts": `export const key = (name: string): string => \`{\${name}:mb}:meta\`;\n`,
  "src/mailbox/index.ts":
    '/** Mail of this small house of ours. */\nexport { send, type Mail } from "./send.js";\n',
  "src/mailbox/send.ts":
    'import { store } from "../redis/index.js";\nimport type { Screen } from "../mcp/index.js"; // a face, as a type\n// the console is a word here: console.log\nexport type Mail = Screen;\nexport const send = [store, "console.log"];\n',
  "src/mailbox/by-type.ts": 'export type Tool = import("../mcp/tool.js").Tool;\n',
  "src/mailbox/later.ts":
    'export const later = (): Promise<unknown> => import("../mcp/tool.js");\nexport const never = (): Promise<unknown> => import("../http/index.js");\n',
  "src/mailbox/driver.ts": 'import type { Redis } from "ioredis";\nexport type Driver = Redis;\n',
  "src/mailbox/stray.ts": 'import leftPad from "left-pad";\nexport const pad = leftPad;\n',
  "src/mailbox/lost.ts": 'export { nothing } from "./nothing.js";\n',
  "src/mailbox/keys.ts": `export const key = (name: string): string => \`{\${name}:own}:meta\`;\n`,
  "src/mailbox/utils.ts": "export const odd = 1;\n",
  "src/mailbox/sendMail.ts": "export const camel = 1;\n",
  "src/mailbox/loud.ts": 'export const loud = (): void => console.log("x");\n',
  "src/mailbox/frames.ts": 'export const break_ = (): boolean => process.stdout.write("x");\n',
  "src/mailbox/frames-too.ts": 'import { stdout } from "node:process";\nexport const out = stdout;\n',
  "src/mailbox/nameless.ts": "export default 1;\n",
  "src/mailbox/egg.ts": 'import type { Hen } from "./hen.js";\nexport type Egg = Hen;\n',
  "src/mailbox/hen.ts": 'import type { Egg } from "./egg.js";\nexport type Hen = Egg;\n',
  "src/topics/index.ts":
    '/** Topics are kept here. They also have a second sentence. */\nexport { feed } from "./feed.js";\n',
  "src/topics/feed.ts":
    'import { type Mail, send } from "../mailbox/index.js";\nexport const feed = send as unknown as Mail;\n',
  "src/topics/words.ts":
    'import { type Mail } from "../mailbox/index.js";\nimport type { Mail as Same } from "../mailbox/index.js";\nexport type Words = Mail | Same;\n',
  "src/mcp/index.ts": "/** What agents see of this small house. */\nexport type Screen = 1;\n",
  "src/mcp/tool.ts":
    'import type { Mail } from "../mailbox/send.js";\nimport { run } from "../cli/index.js";\nexport type Tool = Mail | typeof run;\n',
  "src/http/serve.ts": 'import { house } from "../compose.js";\nexport const serve = house;\n',
  "src/cellar/index.ts": 'import { no } from "../errors/index.js";\nexport const wine = no;\n',
};

describe("each rule", () => {
  const place = mkdtempSync(join(tmpdir(), "llm-mailbox-house-"));
  let house: House;
  beforeAll(async () => {
    for (const [path, text] of Object.entries(planted)) {
      mkdirSync(dirname(join(place, path)), { recursive: true });
      writeFileSync(join(place, path), text);
    }
    house = await readHouse(place);
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  const caught: Readonly<Record<string, readonly string[]>> = {
    "every import leads somewhere": [
      "src/mailbox/later.ts imports ../http/index.js, which is not there",
      "src/mailbox/lost.ts imports ./nothing.js, which is not there",
    ],
    "a room comes only into the rooms its place in the plan allows": [
      "src/cellar/index.ts is in a room the plan does not know: cellar",
      "src/http/serve.ts imports src/compose.ts: http may not know compose.ts",
      "src/mailbox/by-type.ts imports src/mcp/tool.ts: mailbox may not know mcp",
      "src/mailbox/later.ts imports src/mcp/tool.ts: mailbox may not know mcp",
      "src/mailbox/send.ts imports src/mcp/index.ts: mailbox may not know mcp",
      "src/mcp/tool.ts imports src/cli/index.ts: mcp may not know cli",
      "src/topics/feed.ts imports src/mailbox/index.ts: topics may not know mailbox but for its types",
    ],
    "another room is entered by its door": [
      "src/mailbox/by-type.ts imports src/mcp/tool.ts past the door src/mcp/index.ts",
      "src/mailbox/later.ts imports src/mcp/tool.ts past the door src/mcp/index.ts",
      "src/mcp/tool.ts imports src/mailbox/send.ts past the door src/mailbox/index.ts",
    ],
    "a driver is known to the room it belongs to and to no other": [
      "src/mailbox/driver.ts imports ioredis, which belongs to redis",
      "src/mailbox/stray.ts imports left-pad, which has no room in the plan",
    ],
    "no imports go in a circle": ["src/mailbox/egg.ts → src/mailbox/hen.ts → src/mailbox/egg.ts"],
    "a room's door opens with one sentence that says what lives there": [
      "src/cellar/index.ts does not open with one sentence",
      "src/http has no door index.ts",
      "src/topics/index.ts does not open with one sentence",
    ],
    "nothing is kept in a drawer": ["src/mailbox/utils.ts is a drawer: name it for what it is"],
    "file and folder names are kebab-case": ["src/mailbox/sendMail.ts"],
    "nobody writes to the console": ["src/mailbox/loud.ts"],
    "standard output belongs to the command line and to the stdio transport": [
      "src/mailbox/frames-too.ts",
      "src/mailbox/frames.ts",
    ],
    "of its process a command knows only what its terminal shows it": ["src/cli/index.ts"],
    "key names are built in one place": ["src/mailbox/keys.ts"],
    "every export has a name of its own": ["src/mailbox/nameless.ts"],
  };

  it.each(Object.keys(rules))("is caught when it is broken: %s", (name) => {
    const { broken } = rules[name]!(house);
    expect([...broken].sort()).toEqual([...caught[name]!].sort());
  });

  it("has nothing to look at in an empty house, and that is seen", () => {
    const empty: House = { files: new Map(), modules: new Set(), imports: [] };
    for (const name of Object.keys(rules)) expect([name, rules[name]!(empty).looked]).toEqual([name, 0]);
  });

  it("is told of a house of which not everything was seen", async () => {
    const half = mkdtempSync(join(tmpdir(), "llm-mailbox-half-"));
    try {
      mkdirSync(join(half, "src"));
      await expect(readHouse(half)).rejects.toThrow("there is nothing");
      // The resolver passes by a folder of this name, as it would by all TypeScript if it could not parse it.
      mkdirSync(join(half, "src/node_modules"));
      writeFileSync(join(half, "src/seen.ts"), "export const seen = 1;\n");
      writeFileSync(join(half, "src/node_modules/unseen.ts"), "export const unseen = 1;\n");
      await expect(readHouse(half)).rejects.toThrow("did not see src/node_modules/unseen.ts");
    } finally {
      rmSync(half, { recursive: true, force: true });
    }
  });
});
