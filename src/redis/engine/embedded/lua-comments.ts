const token =
  /--\[(=*)\[[\s\S]*?\]\1\]|--[^\n]*|\[(=*)\[[\s\S]*?\]\2\]|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'/g;

/** The same Lua program without comments and indentation; every statement stays on its line. */
export function withoutComments(source: string): string {
  let out = "";
  let end = 0;
  const code = (text: string): string => text.replace(/\n[ \t]+/g, "\n");
  for (const match of source.matchAll(token)) {
    out += code(source.slice(end, match.index));
    out += match[0].startsWith("--") ? ` ${match[0].replace(/[^\n]+/g, "")}` : match[0];
    end = match.index + match[0].length;
  }
  return out + code(source.slice(end));
}
