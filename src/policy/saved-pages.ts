import { has, optionValues } from "./command-options.js";
import { entryOf, within } from "./copied-files.js";
import { addressesOf, fetchers } from "./fetched-pages.js";
import type { FileDeed } from "./file-deed.js";
import { unknownPart } from "./shell-words.js";

/** Options that name a file to which something else than the page is written. */
const besides: Readonly<Record<"curl" | "wget", readonly string[]>> = {
  curl: [
    "-D",
    "--dump-header",
    "-c",
    "--cookie-jar",
    "--trace",
    "--trace-ascii",
    "--stderr",
    "--etag-save",
    "--libcurl",
  ],
  wget: ["-o", "--output-file", "-a", "--append-output", "--save-cookies"],
};

/** The files to which a command writes what it fetches. */
export function savedPages(program: "curl" | "wget", args: readonly string[]): FileDeed {
  const values = (...names: readonly string[]): readonly string[] =>
    optionValues(args, names, fetchers[program].valued);
  const saved = program === "curl" ? savedByCurl(args, values) : savedByWget(args, values);
  const paths = [...saved, ...values(...besides[program])].filter((path) => path !== "-");
  return { action: "file.write", paths };
}

type Values = (...names: readonly string[]) => readonly string[];

function savedByCurl(args: readonly string[], values: Values): readonly string[] {
  const folder = values("--output-dir").at(-1) ?? "";
  // A number stands for what the address had in braces there.
  const named = values("-o", "--output").map((path) => path.replace(/#\d/g, unknownPart));
  const isNamedByPage = has(args, "O", "--remote-name", "--remote-name-all");
  const isNamedByServer = has(args, "J", "--remote-header-name");
  const pages = isNamedByPage
    ? addressesOf("curl", args).map(isNamedByServer ? () => unknownPart : pageName)
    : [];
  return [...named.filter((path) => path !== "-"), ...pages].map((path) => within(folder, path));
}

function savedByWget(args: readonly string[], values: Values): readonly string[] {
  const named = values("-O", "--output-document");
  if (named.length > 0 || args.includes("--spider")) return named;
  const isDeep = has(args, "rmpx", "--recursive", "--mirror", "--page-requisites", "--force-directories");
  const folder = values("-P", "--directory-prefix").at(-1) ?? "";
  const isNamedByServer = args.includes("--content-disposition");
  const addresses = addressesOf("wget", args);
  return addresses.map((one) =>
    within(folder, isDeep || isNamedByServer ? unknownPart : pageName(one) || "index.html"),
  );
}

/** What the page would be called as a file: the last part of its path. */
function pageName(address: string): string {
  const [page] = address.replace(/^[^/?#]*:\/\//, "").split(/[?#]/, 1);
  const at = page!.indexOf("/");
  if (at < 0 || page!.endsWith("/")) return page!.includes(unknownPart) ? unknownPart : "";
  return entryOf(page!);
}
