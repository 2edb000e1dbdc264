import { braceAlternatives } from "./brace-alternatives.js";
import { operandsOf, options } from "./command-options.js";
import type { Reading } from "./reading.js";
import { unknownPart } from "./shell-words.js";
import { webResource } from "./web-resource.js";

/** A program that fetches pages: its options that take a word of their own, and those that lead to more addresses. */
interface Fetcher {
  readonly valued: readonly string[];
  readonly lists: readonly string[];
}

export const fetchers: Readonly<Record<"curl" | "wget", Fetcher>> = {
  curl: {
    valued: options(
      "abstract-unix-socket alt-svc aws-sigv4 cacert capath E cert cert-type ciphers connect-timeout connect-to C continue-at b cookie c cookie-jar create-file-mode crlfile curves d data data-ascii data-binary data-raw data-urlencode delegation dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-url D dump-header egd-file engine etag-compare etag-save expect100-timeout F form form-string ftp-account ftp-alternative-to-user ftp-method P ftp-port ftp-ssl-ccc-mode happy-eyeballs-timeout-ms H header h help hostpubmd5 hostpubsha256 hsts interface json keepalive-time key key-type krb libcurl limit-rate local-port login-options mail-auth mail-from mail-rcpt max-filesize max-redirs m max-time netrc-file noproxy oauth2-bearer o output output-dir parallel-max pass pinnedpubkey preproxy proto proto-default proto-redir x proxy proxy-cacert proxy-capath proxy-cert proxy-cert-type proxy-ciphers proxy-crlfile proxy-header proxy-key proxy-key-type proxy-pass proxy-pinnedpubkey proxy-service-name proxy-tls13-ciphers proxy-tlsauthtype proxy-tlspassword proxy-tlsuser U proxy-user proxy1.0 pubkey Q quote random-file r range rate e referer X request request-target resolve retry retry-delay retry-max-time sasl-authzid service-name socks4 socks4a socks5 socks5-gssapi-service socks5-hostname Y speed-limit y speed-time stderr t telnet-option tftp-blksize z time-cond tls-max tls13-ciphers tlsauthtype tlspassword tlsuser trace trace-ascii unix-socket T upload-file url-query u user A user-agent w write-out",
    ),
    lists: options("K config"),
  },
  wget: {
    valued: options(
      "e execute o output-file a append-output report-speed B base config rejected-log t tries retry-on-http-error O output-document start-pos progress T timeout dns-timeout connect-timeout read-timeout w wait waitretry Q quota bind-address limit-rate restrict-file-names prefer-family user password use-askpass local-encoding remote-encoding P directory-prefix cut-dirs http-user http-password default-page header compression proxy-user proxy-password referer U user-agent load-cookies save-cookies post-data post-file method body-data body-file secure-protocol certificate certificate-type private-key private-key-type ca-certificate ca-directory crl-file pinnedpubkey ciphers ftp-user ftp-password warc-file warc-header warc-max-size warc-dedup warc-tempdir l level backups A accept R reject accept-regex reject-regex regex-type D domains exclude-domains follow-tags ignore-tags I include-directories X exclude-directories",
    ),
    lists: options("i input-file"),
  },
};

/** Addresses of one command. */
const mostAddresses = 50;
const pageSteps = 40;

/**
 * The pages that a command names, as rules know them. Of an address that only the shell could tell, all pages of the host
 * where that is known, and an empty one where it is not.
 */
export function fetchedPages(
  program: "curl" | "wget",
  args: readonly string[],
  reading: Reading,
): readonly string[] {
  const addresses = addressesOf(program, args);
  const pages = new Set(addresses.slice(0, mostAddresses).flatMap((address) => pagesAt(address, reading)));
  return addresses.length > mostAddresses ? [""] : [...pages];
}

/** The addresses that a command names, an unknown one for a list of them. */
export function addressesOf(program: "curl" | "wget", args: readonly string[]): readonly string[] {
  const { valued, lists } = fetchers[program];
  const addresses: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "--") {
      return addresses.concat(args.slice(at + 1));
    }
    if (!arg.startsWith("-")) addresses.push(arg);
    else if (arg === "--url") addresses.push(args[++at] ?? "");
    else if (arg.startsWith("--url=")) addresses.push(arg.slice("--url=".length));
    else if (lists.some((one) => arg === one || arg.startsWith(one.length > 2 ? `${one}=` : one))) {
      addresses.push(unknownPart);
      if (lists.includes(arg)) at += 1;
    } else if (arg.startsWith("--") ? valued.includes(arg) : operandsOf([arg, ""], valued).length === 0)
      at += 1;
  }
  return addresses;
}

/** The host begins behind the scheme, which may be left out, and need not have both slashes where it is one of the web. */
const scheme = /^(?:(?:https?|ftps?|wss?):\/*|[^/?#]*:\/\/)/i;

function pagesAt(address: string, reading: Reading): readonly string[] {
  return braceAlternatives(withoutQuery(address), reading).flatMap((one) => {
    reading.spend(pageSteps + (one.length >> 3));
    if (/^file:/i.test(one)) return [];
    if (one.startsWith(unknownPart) && !scheme.test(one)) return [""];
    const [, authority, path] = /^([^/]*)(.*)$/s.exec(one.replace(scheme, ""))!;
    const kind = /^https:/i.test(one) ? "https" : "http";
    const host = authority!.slice(authority!.lastIndexOf("@") + 1);
    const known = page(
      kind,
      host.startsWith("[") && host.includes(":") ? host : ranged(host),
      path!.includes(unknownPart) ? "/**" : ranged(path!.replaceAll("\\", "%5C")),
    );
    if (!authority!.includes(unknownPart)) return [known];
    // What is put in there may end the host and begin the path.
    const [begins] = host.replaceAll(unknownPart, "*").split(/:\*/);
    if (!host.includes(unknownPart)) return [known, ""];
    return /\w\.\w/.test(begins!)
      ? [page(kind, `${begins!}${begins!.includes("*") ? "" : "*"}`, "/**"), ""]
      : [""];
  });
}

function page(kind: "http" | "https", host: string, path: string): string {
  return webResource(`${kind}://${host}${path}`);
}

/** Ranges of characters or numbers, each of which is fetched. */
function ranged(text: string): string {
  return text.replace(/\[[^\]/]*\]/g, "*");
}

/** What stands before a question mark or a hash that is in no braces. */
function withoutQuery(address: string): string {
  let open = 0;
  for (const [at, char] of [...address].entries()) {
    if (char === "{") open += 1;
    else if (char === "}") open -= 1;
    else if (open <= 0 && (char === "?" || char === "#")) return [...address].slice(0, at).join("");
  }
  return address;
}
