import { describe, expect, it } from "vitest";
import { powershellCommands } from "../../src/policy/powershell-words.js";
import { shellSteps } from "../../src/policy/shell-steps.js";
import { namingArgument, toolSteps } from "../../src/policy/tool-steps.js";

const asGiven = (path: string): string => path;
const steps = (command: string): string[] =>
  shellSteps(command, asGiven).map(({ action, resource }) => `${action} ${resource}`.trim());

describe("a tool of a client", () => {
  it.each([
    ["Read", { file_path: "/r/a.ts" }, "file.read", "/r/a.ts"],
    ["Edit", { file_path: "/r/a.ts", old_string: "a" }, "file.write", "/r/a.ts"],
    ["MultiEdit", { file_path: "/r/a.ts" }, "file.write", "/r/a.ts"],
    ["Write", { file_path: "/r/a.ts", content: "x" }, "file.write", "/r/a.ts"],
    ["NotebookEdit", { notebook_path: "/r/a.ipynb" }, "file.write", "/r/a.ipynb"],
    ["Write", { content: "x" }, "file.write", ""],
    ["Bash", { command: "npm test" }, "shell.run", ""],
    ["Monitor", { command: "npm test", timeout_ms: 5_000 }, "shell.run", ""],
    ["Monitor", { ws: { url: "wss://example.org/feed?token=x" } }, "web.fetch", "example.org/feed"],
    ["Monitor", {}, "web.fetch", ""],
    ["WebFetch", { url: "https://example.org/docs/a?token=x" }, "web.fetch", "example.org/docs/a"],
    ["WebFetch", { url: "not a url" }, "web.fetch", ""],
    ["mcp__github__create_issue", {}, "mcp.github.create_issue", ""],
    ["mcp__claude.ai Mail__send__now", {}, "mcp.claude_ai_mail.send__now", ""],
    ["TodoWrite", {}, "tool.todowrite", ""],
    ["constructor", {}, "tool.constructor", ""],
  ])("%s %j is %s %s in the words of rules", (tool, input, action, resource) => {
    expect(toolSteps({ tool, input }, asGiven).steps).toEqual([{ action, resource }]);
  });

  it("names in one argument what its steps are about, or in none", () => {
    const named = (tool: string, input = {}): string | undefined => namingArgument({ tool, input });
    for (const [tool, argument] of [
      ["Read", "file_path"],
      ["NotebookEdit", "notebook_path"],
      ["Bash", "command"],
      ["PowerShell", "command"],
      ["apply_patch", "command"],
      ["WebFetch", "url"],
      ["TodoWrite", undefined],
      ["mcp__a__b", undefined],
      ["constructor", undefined],
    ] as const)
      expect(named(tool), tool).toBe(argument);
    expect(named("Monitor", { command: "tail -f log" })).toBe("command");
    expect(named("Monitor", { ws: { url: "wss://example.org" } })).toBe("ws");
  });

  it.each([
    "((${)) ; rm x",
    `(("))\nrm x`,
    "(('))\nrm x",
    "a=(('\nrm x",
    "a=(b | '\nrm x",
    `echo \${ rm x; }`,
    `\${| rm x; }`,
    `((echo ")) " > a) )`,
  ])("of which shells think too differently may do anything: %j", (command) => {
    expect(toolSteps({ tool: "Bash", input: { command } }, asGiven).isRead).toBe(false);
  });

  it.each([
    `(( i++ )); echo $(( \${#a[@]} > 1 ))`,
    `a=(b "c d" $(ls) <(ls)); echo "\${a[@]}" {1..3} HEAD@{1}`,
    "a[1]=2; a[i + 1]=$((b[1] << 2)); awk '{print $1}' f",
    "if (( a > 1 )) && [[ $b =~ ^(c|d)$ ]]; then { ls; } fi",
    "make &> /dev/null; $CMD build; find . -name '{}' -print",
  ])("that everybody writes does nothing else: %s", (command) => {
    const told = toolSteps({ tool: "Bash", input: { command } }, asGiven);
    expect([told.isRead, told.steps.map(({ action }) => action)]).toEqual([true, ["shell.run"]]);
  });

  it("that runs a shell does so first, and then what the command plainly does", () => {
    for (const tool of ["Bash", "Monitor", "PowerShell"])
      expect(toolSteps({ tool, input: { command: "rm a && git push -f" } }, asGiven).steps).toEqual([
        { action: "shell.run", resource: "" },
        { action: "file.delete", resource: "a" },
        { action: "git.push", resource: "" },
        { action: "git.push_force", resource: "" },
      ]);
  });
});

describe("a patch", () => {
  const patch = (...lines: string[]): string => ["*** Begin Patch", ...lines, "*** End Patch"].join("\n");
  const ok = ["*** Add File: ok", "+1"];
  const asked = (tool: string, command: string): string[] =>
    toolSteps({ tool, input: { command } }, asGiven)
      .steps.map(({ action, resource }) => `${action} ${resource}`.trim())
      .filter((step) => step !== "shell.run");

  it.each([
    ["*** Add File: prod/a\u2028b", "prod/a\u2028b"],
    ["\u0085*** Add File: prod/ab\u0085", "prod/ab"],
    ["\u3000 \u2029*** Add File: prod/ab", "prod/ab"],
    ["*** Add File: x\r/../prod/y\r", "x\r/../prod/y"],
    ["+1\r*** Add File: prod/x", undefined],
  ])("names in %j the file %s, as Codex reads it", (line, name) => {
    const names = name === undefined ? [] : [`file.write ${name}`];
    expect(asked("apply_patch", patch(...ok, line))).toEqual(["file.write ok", ...names]);
  });

  const deletes = patch("*** Delete File: prod/x", ...ok);
  const both = ["file.write ok", "file.delete prod/x"];
  it.each([
    [`apply_patch '${deletes}'`, both],
    [`apply_patch <<'EOF' && git add .\n${deletes}\nEOF`, both],
    [`apply_patch <<'EOF'\r\n${deletes.replaceAll("\n", "\r\n")}\r\nEOF\r\n`, both],
    [`apply_patch <<EOF\n${patch("*** Delete \\\nFile: prod/x", ...ok)}\nEOF`, both],
    [`apply_patch <<EOF\n${patch(...ok, "+a\\", "*** Delete File: prod/x")}\nEOF`, both],
    [`apply_patch <<'EOF'\n${patch("*** Update File: ok", " EOF", "*** Delete File: prod/x")}\nEOF`, both],
    [`printf '${deletes.replaceAll("\n", "\\n")}' | apply_patch`, both],
    [`printf '%s\\n' ${deletes.replace(/^.*$/gm, "'$&'").replaceAll("\n", " ")} | apply_patch`, both],
    [`printf '*** %s File: %s\\n' Delete prod/x Add ok | apply_patch`, both],
    [`echo '${deletes}' | apply_patch`, both],
    [`cat <<'EOF' | apply_patch\n${deletes}\nEOF`, both],
    [`codex --codex-run-as-apply-patch '${deletes}'`, both],
    [`apply_patch "$(cat <<'EOF'\n${deletes}\nEOF\n)"`, ["file.write", ...both]],
    [`P='${deletes}\n'; apply_patch "$P"`, ["file.write", ...both]],
    [
      `apply_patch <<EOF\n${patch("*** Delete File: prod/$P", ...ok)}\nEOF`,
      ["file.write ok", "file.delete **", "file.delete prod/$P"],
    ],
    [
      `apply_patch <<EOF\n${patch("*** $DO File: x", "*** Delete File: y")}\nEOF`,
      ["file.write", "file.delete y", "file.delete **"],
    ],
    [`apply_patch <<'EOF'\n${patch("*** Add File: src/$id.tsx", "+$x")}\nEOF`, ["file.write src/$id.tsx"]],
    ["cat patch | apply_patch", ["file.write"]],
    [`cat > p <<'EOF'\n${deletes}\nEOF\napply_patch < p`, ["file.write p", "file.write", ...both]],
    [`apply_patch <<EOF\n${patch("*** Add File: a$.ts")}\nEOF`, ["file.write a$.ts"]],
  ])("given to a shell as %j is read as the shell passes it on", (command, expected) => {
    expect(asked("Bash", command)).toEqual(expected);
  });
});

describe("a shell command", () => {
  it.each([
    ["rm a.txt", ["file.delete a.txt"]],
    ["rm -f -- -odd", ["file.delete -odd"]],
    ["rm -rf build dist/x", ["directory.delete build", "directory.delete dist/x"]],
    ["rm --recursive build", ["directory.delete build"]],
    ["/bin/rm 'a b' \"c d\" e\\ f", ["file.delete a b", "file.delete c d", "file.delete e f"]],
    ["rm *.log", ["file.delete *.log"]],
    ["rm -r src/[a-c]?/x* *", ["directory.delete src/*/x*", "directory.delete *"]],
    ["rm {a,b}/x", ["file.delete a/x", "file.delete b/x"]],
    ["curl https://Example.org.:443/%70rod/%2E%2e/a%2fb", ["web.fetch example.org/a%2Fb"]],
    ["rm $FILE", ["file.delete **"]],
    ["rm ~/x", ["file.delete ~/x"]],
    [`rm ${"x ".repeat(51)}`, ["file.delete **"]],
    [
      `git push; ${Array.from({ length: 61 }, (_, n) => `rm ${n}`).join("; ")}`,
      ["git.push", "file.delete **"],
    ],
    ["ls; rm a\nrm b", ["file.delete a", "file.delete b"]],
    ["true || rm a & rm b", ["file.delete a", "file.delete b"]],
    ["FORCE=1 sudo -u root rm a", ["file.delete a"]],
    ["env -u A B=1 nohup nice -n 5 timeout -k 1 10 rm a", ["file.delete a"]],
    ["env - A=b rm a; noglob rm b; toybox rm c", ["file.delete a", "file.delete b", "file.delete c"]],
    ["runuser -u bob -- rm a; runuser - bob -c 'rm b'", ["file.delete a", "file.delete b"]],
    ["flock -n lock -c 'rm a'; flock lock rm b", ["file.delete a", "file.delete b"]],
    ["ls | xargs -n 1 rm", ["file.delete **"]],
    ["if true; then rm a; fi", ["file.delete a"]],
    [
      "env -a x rm a; env --argv0 x rm b; env -P /bin -S 'rm c'",
      ["a", "b", "c"].map((path) => `file.delete ${path}`),
    ],
    ["if true; then { ls; } else rm a; fi", ["file.delete a"]],
    ["if { ls; } then rm a; elif { ls; } then rm b; fi", ["file.delete a", "file.delete b"]],
    ["while { ls; } do { rm a; } done", ["file.delete a"]],
    ["if a; then if b; then ls; fi else rm a; fi", ["file.delete a"]],
    ["if a; then for i in 1; do ls; done else rm a; fi", ["file.delete a"]],
    ["if a; then case b in b) ls;; esac else sudo rm a; fi", ["file.delete a"]],
    [`if [[ "$x" == 'a b' ]] then rm a; fi; until [[ x ]] do rm b; done`, ["file.delete a", "file.delete b"]],
    ["if [[ a ]] && [[ b < c ]] then rm a > d; fi", ["file.delete a", "file.write d"]],
    ["if [[ a ]] then echo 'rm a'; fi | sh", ["file.delete a"]],
    ["if a; then { ls; } else echo 'rm a'; fi | sh", ["file.delete a"]],
    ["echo 'rm a' | if { ls; } then sh; fi", ["file.delete a"]],
    ["echo 'rm a' | if ls; then { ls; } else cat; fi; sh", []],
    ["(cd x && rm a)", ["file.delete a", "file.delete x/a"]],
    ['echo "$(rm a)"', ["file.delete a"]],
    ["echo `rm a`", ["file.delete a"]],
    ["cat <(rm a)", ["file.delete a"]],
    [`echo \${x:-$(rm a)} "\${x:=\`rm b\`}"`, ["file.delete a", "file.delete b"]],
    [`cat <<EOF\n\${x:-$(rm a)}\nEOF`, ["file.delete a"]],
    ['echo `echo \\`rm a\\``; echo "`rm \\"b\\"`"', ["file.delete a", "file.delete b"]],
    [
      'echo "$(case x in x) rm a;; (y) rm b;; esac)" "$(case x in esac)" && rm c',
      ["file.delete a", "file.delete b", "file.delete c"],
    ],
    [`${"echo $[1<<2]\n".repeat(6)}rm a`, ["file.delete a"]],
    ["bash -c 'rm a'", ["file.delete a"]],
    ["sh -ec \"bash -c 'rm a'\"", ["file.delete a"]],
    ["eval rm a", ["file.delete a"]],
    ["cd src/lib; rm a", ["file.delete a", "file.delete src/lib/a"]],
    [
      "cd / && cd srv && rm -r x /etc",
      ["directory.delete x", "directory.delete /srv/x", "directory.delete /etc"],
    ],
    ["cd $DIR && rm a", ["file.delete a", "file.delete **/a"]],
    ["ssh -i key -p 22 host rm a", ["file.delete a"]],
    ["ssh host rm -r /srv", ["directory.delete /srv"]],
    ["bash <<EOF\nrm a\nEOF\nls", ["file.delete a"]],
    ["cat <<'EOF' > notes\nrm a\nEOF\nrm b", ["file.write notes", "file.delete b"]],
    ["find . -name '*.o' -delete", ["file.delete ."]],
    ["find src -type f -exec rm {} \\;", ["file.delete src/"]],
    ["rmdir a", ["directory.delete a"]],
    ["truncate -s 0 a", ["file.delete a", "file.write a"]],
    ["git rm -r old", ["directory.delete old"]],
    ["git -C sub rm a", ["file.delete a", "file.delete sub/a"]],
    ["git clean -fdx", ["file.delete ."]],
    ["git push", ["git.push"]],
    ["git -C sub push --force-with-lease=x origin main", ["git.push", "git.push_force"]],
    ["git push origin +main", ["git.push", "git.push_force"]],
    ["git push origin :old", ["git.push", "branch.delete"]],
    ["git push --delete origin old", ["git.push", "branch.delete"]],
    ["git commit -m 'rm everything'", ["git.commit"]],
    ["git reset --hard HEAD~1", ["git.reset_hard"]],
    ["git branch -D old", ["branch.delete"]],
    ["psql -c 'DROP TABLE users'", ["db.drop"]],
    ["P=1 sudo -u db psql -c 'drop table a'; bash -c \"mysql -e 'delete from a'\"", ["db.drop", "db.delete"]],
    ["echo 'delete from users' | sqlite3 a.db", ["db.delete"]],
    ["psql <<EOF\ndrop schema x;\nEOF", ["db.drop"]],
    ["dropdb prod", ["db.drop"]],
    ["curl -s https://example.org/a/b?c=d -o x", ["web.fetch example.org/a/b", "file.write x"]],
    ["chmod -R 777 .", ["access.grant ."]],
    ["if rm -rf prod; then :; fi", ["directory.delete prod"]],
    ["if true; then :; elif rm x; then :; fi", ["file.delete x"]],
    ["if ! rm x; then :; fi", ["file.delete x"]],
    ["while rm x; do :; done", ["file.delete x"]],
    ["until sudo rm x; do :; done", ["file.delete x"]],
    ["function f { rm x; }; f", ["file.delete x"]],
    ["sudo --user bob rm x", ["file.delete x"]],
    ["sudo --user=bob -nu bob -- rm x", ["file.delete x"]],
    [`${"sudo ".repeat(20)}rm x`, ["file.delete x"]],
    ["env -S 'rm x'", ["file.delete x"]],
    ["env -S bash -c 'rm x'", ["file.delete x"]],
    ["env -S 'bash -c \"rm x\"'; env -S 'bash -c' 'rm y'", ["file.delete x", "file.delete y"]],
    ["env -S nice -n 5 rm x; env --split='-u A rm' -u y", ["file.delete x", "file.delete y"]],
    ["env -S rm -r x; env -S rm 'a b'", ["directory.delete x", "file.delete a b"]],
    [
      `env -S 'rm a\\_b "c\\_d" '\\''e f'\\'' $\{HOME}g #h'`,
      ["a", "b", "c d", "e f", "**/*g"].map((path) => `file.delete ${path}`),
    ],
    ["env -S '-C prod rm' x", ["file.delete x", "file.delete prod/x"]],
    ["env -S git -C prod rm x", ["file.delete x", "file.delete prod/x"]],
    ["xargs -I{} env -S 'rm {}'", ["file.delete **"]],
    ["coproc X { rm x; }; coproc rm y", ["file.delete x", "file.delete y"]],
    ["coproc X while rm x; do :; done; coproc { rm y; }", ["file.delete x", "file.delete y"]],
    [
      "ssh host -p 22 rm x; ssh -p 22 host -- rm y; ssh host -t rm -rf z",
      ["file.delete x", "file.delete y", "directory.delete z"],
    ],
    ["echo 'rm x' | su root; echo 'rm y' | su - bob -s /bin/sh", ["file.delete x", "file.delete y"]],
    ["echo 'rm x' | runuser -u bob -- sh; echo 'rm y' | runuser bob", ["file.delete x", "file.delete y"]],
    [
      "echo 'rm x' | script -q; echo 'rm y' | parallel -j 2; parallel <<< 'rm z'",
      ["file.delete x", "file.delete y", "file.delete z"],
    ],
    [
      "echo 'rm x' | docker exec -i web bash; echo 'rm y' | sudo kubectl exec -i web -- sh -s",
      ["file.delete x", "file.delete y"],
    ],
    [
      "echo 'rm x' | env -S 'bash -s'; echo 'rm y' | env -S runuser -u bob sh",
      ["file.delete x", "file.delete y"],
    ],
    ["echo 'rm x' | if true; then bash; fi", ["file.delete x"]],
    ["echo 'rm x' | while :; do cd sub; bash; done", ["file.delete x", "file.delete sub/x"]],
    [
      "echo 'rm x' | for n in 1; do sh; done; echo 'rm y' | case a in a) sh;; esac",
      ["file.delete x", "file.delete y"],
    ],
    [
      "echo 'rm x' | (true; bash); (echo 'rm y') | (true; true | cat; bash)",
      ["file.delete x", "file.delete y"],
    ],
    ["echo 'rm x' | { true; { true; }; bash; }", ["file.delete x"]],
    ["echo 'rm x' | { apply_patch; bash; bash; }", ["file.write", "file.delete x"]],
    ["echo 'rm x' | sudo -u $(id -un) bash; echo $(echo 'rm y' | sh)", ["file.delete x", "file.delete y"]],
    ["echo 'rm x' | (cat) | bash; echo 'rm y' | { cat; } | bash", ["file.delete x", "file.delete y"]],
    ["echo 'rm x' | (cat); bash build.sh; echo 'rm y' | { cat; }; bash build.sh", []],
    ["echo 'rm x' | while read l; do echo $l; done; bash build.sh", []],
    ["echo 'rm x' | docker exec -i web cat; echo 'rm y' | docker ps", []],
    ["printf '%b' 'rm\\x20x' | bash; printf '%-3b\\n' 'rm\\ty' | sh", ["file.delete x", "file.delete y"]],
    [
      "su --session-command='rm x'; su --comm 'rm y' bob; su -lc 'rm z' bob",
      ["file.delete x", "file.delete y", "file.delete z"],
    ],
    ["su bob -- -c 'rm x'; runuser -l bob -c 'rm y'; su - bob", ["file.delete x", "file.delete y"]],
    [
      "fish --command='rm x'; fish --command 'rm y'; fish -c 'rm z'; fish -C 'rm v' <<< 'rm w'",
      ["file.delete x", "file.delete y", "file.delete z", "file.delete v", "file.delete w"],
    ],
    ["ls | xargs --max-args 1 rm", ["file.delete **"]],
    ["ls | xargs rm tmp", ["file.delete tmp", "file.delete **"]],
    ["flock /tmp/lock rm x", ["file.delete x"]],
    ["bash <<< 'rm x'", ["file.delete x"]],
    ['bash 0<<<"rm x"; ls', ["file.delete x"]],
    ["cat <<< 'rm x' | bash", ["file.delete x"]],
    ["echo 'rm x' | bash", ["file.delete x"]],
    ["printf '%s\\n' 'rm x' | tee log | sudo sh -s", ["file.write log", "file.delete x"]],
    ["(echo 'rm x') |& bash", ["file.delete x"]],
    ["{ echo rm x; } | { bash; }", ["file.delete x"]],
    ["bash -c -- 'rm x'", ["file.delete x"]],
    ["bash -o pipefail -c -e 'rm x'", ["file.delete x"]],
    ["eval -- rm x", ["file.delete x"]],
    ["su -c 'rm x' bob", ["file.delete x"]],
    ["ssh host <<EOF\nrm x\nEOF", ["file.delete x"]],
    ["trap 'rm x' EXIT", ["file.delete x"]],
    ["exec -a foo rm x", ["file.delete x"]],
    ["find tmp prod -delete", ["file.delete tmp/", "file.delete prod/"]],
    ["find -L tmp prod \\( -name '*.o' \\) -delete", ["file.delete tmp/", "file.delete prod/"]],
    ["find tmp -exec echo {} + -exec rm {} \\;", ["file.delete tmp/"]],
    ["git push origin +main", ["git.push", "git.push_force"]],
    ["git push --repo=origin '+main'", ["git.push", "git.push_force"]],
    ["git push origin +refs/heads/a:b", ["git.push", "git.push_force"]],
    ["git --namespace x push --mir origin", ["git.push", "git.push_force"]],
    ["rm --recur prod", ["directory.delete prod"]],
    ['"/bin/rm" x', ["file.delete x"]],
    ['"rm" x', ["file.delete x"]],
    ["r'm' x; \\rm y", ["file.delete x", "file.delete y"]],
    ["$'\\x72m' x; $\"rm\" y", ["file.delete x", "file.delete y"]],
    ["bash -c $'ls\\nrm x'", ["file.delete x"]],
    ["$'\\U00000072m' x", ["file.delete x"]],
    ['rm "pro\\\nd/x"', ["file.delete prod/x"]],
    ["rm prod/x $FILE", ["file.delete prod/x", "file.delete **"]],
    ["a[0]=1 rm prod/x; b[1 + 1]=2 rm y", ["file.delete prod/x", "file.delete y"]],
    ["rm ~+/prod/x", ["file.delete ./prod/x", "file.delete **"]],
    ["cd ~+/prod && rm x", ["file.delete x", "file.delete ./prod/x"]],
    [
      "rm / // ./ . .. /x/ a//b/",
      ["/", "//", "./", ".", "..", "/x/", "a//b/"].map((path) => `file.delete ${path}`),
    ],
    ["rm ~-/x ~2/x", ["file.delete **"]],
    ["rm ~root/x", ["file.delete ~root/x", "file.delete /root/x"]],
    ["env -iC prod rm x; rm y", ["file.delete x", "file.delete prod/x", "file.delete y"]],
    ["env --chdir=prod -S 'rm x' z", ["x", "prod/x", "z", "prod/z"].map((path) => `file.delete ${path}`)],
    ["sudo -nDprod rm x", ["file.delete x", "file.delete prod/x"]],
    ["sudo --chdir prod git -C db rm x", ["file.delete x", "file.delete prod/db/x"]],
    ["env -iS'rm prod/x'", ["file.delete prod/x"]],
    ["echo -e 'rm x' | sh", ["file.delete x"]],
    ["printf 'r%s %s' m x | sh", ["file.delete x"]],
    ["printf '\\162m x' | sh", ["file.delete x"]],
    [`printf '%s\\n' ${"a ".repeat(400)}'rm x' | sh`, ["file.delete x"]],
    ["bash <<EOF && ls\nrm x\nEOF", ["file.delete x"]],
    ["csh -c 'rm a'; tcsh -c 'rm b'; rbash -c 'rm c'", ["file.delete a", "file.delete b", "file.delete c"]],
    ["echo 'rm a' | mksh; yash <<EOF\nrm b\nEOF", ["file.delete a", "file.delete b"]],
    ["printf '%05d%-3.2s%% %s' 1 2 'rm x' | sh", []],
    ["printf '%00s %+5s' rm x | sh", ["file.delete x"]],
    ["cat <<EOF\n$(rm x)\nEOF", ["file.delete x"]],
    ["cat <<'EOF'\n$(rm x)\nEOF", []],
    ["cat <<A\n A\n$(rm y)\n\tA\nA\nrm x", ["file.delete y", "file.delete x"]],
    ["cat <<-A\n\t\tA\nrm x", ["file.delete x"]],
    ["cat <<A\nb\\\nA\nrm y\nA\nrm x", ["file.delete x"]],
    [
      "git commit -m \"$(cat <<'EOF'\nIt's (a) thing\n\nmore)\nEOF\n)\" && git push",
      ["git.commit", "git.push"],
    ],
    ["echo $( (rm a); rm b) $((1 + (2))) c; rm d", ["file.delete a", "file.delete b", "file.delete d"]],
    ["rm $(true; echo a & echo b) prod/x", ["file.delete prod/x", "file.delete **"]],
    ["case a in a) rm x;; b) rm y;; esac; rm z", ["x", "y", "z"].map((path) => `file.delete ${path}`)],
    ["((a = 1 << 2))\nrm x", ["file.delete x"]],
    ["find -delete", ["file.delete ."]],
    ["find -name '*.o' -delete", ["file.delete ."]],
    ["find -files0-from list -delete", ["file.delete **"]],
    ["git clean -fdx -e keep", ["file.delete ."]],
    ["git clean -fdx src/a", ["file.delete src/a/"]],
    ["git clean -fdn", []],
    ["git clean -nfd src/a", []],
    ["git clean --dry-run -fd", []],
    ["git clean -fd -- -n", ["file.delete -n/"]],
    ["git clean -fde -n", ["file.delete ."]],
    ["git clean -fd -en", ["file.delete ."]],
    ["git clean -fd --exclude -n", ["file.delete ."]],
    ["git clean -fdn --no-dry-run", ["file.delete ."]],
    ["git push --dry-run origin :old", ["git.push"]],
    ["git push -n --force", ["git.push"]],
    ["git push -o -n --force", ["git.push", "git.push_force"]],
    ["git push -n --no-dry-run --force", ["git.push", "git.push_force"]],
    ["git clean -fd --end-of-options -n", ["file.delete ."]],
    ["git push -on --force", ["git.push", "git.push_force"]],
    ["git push --ex -n --force", ["git.push", "git.push_force"]],
    ["git push --recurse-submodules -n --force", ["git.push", "git.push_force"]],
    ["git push --force $X -n", ["git.push", "git.push_force"]],
    ["git push --force -- -n", ["git.push", "git.push_force"]],
    ["git -C sub clean -f", ["file.delete .", "file.delete sub/./"]],
    ["git rm ':(top)x' y", ["file.delete y", "file.delete **"]],
    ["chmod -R a+x src/a . ../ /", ["src/a/", ".", "../", "/"].map((path) => `access.grant ${path}`)],
    ["chown --recursive bob src", ["access.grant src/"]],
    ["chmod +x a", ["access.grant a"]],
    ["chmod -x a; chmod --reference=c b", ["access.grant a", "access.grant b"]],
    ["setfacl -R -m u:bob:rwx a; setfacl -b c", ["access.grant a/", "access.grant c"]],
    ["chgrp staff a; chgrp -R staff b", ["access.grant a", "access.grant b/"]],
    ["psql -c 'truncate users'", ["db.delete"]],
    ["psql -c 'TRUNCATE TABLE users'", ["db.delete"]],
    ["psql -c 'truncate \"users\"'", ["db.delete"]],
    ["psql -c 'truncate u'", ["db.delete"]],
    ["psql -c 'select truncated from x'; truncate -s 0 a", ["file.delete a", "file.write a"]],
    ["git reset --har", ["git.reset_hard"]],
    ["git reset --soft HEAD~1; git reset -- --hard", []],
    ["watch -n 1 -d 'rm x'; watch rm y", ["file.delete x", "file.delete y"]],
    ["strace -f -e trace=file -o log rm x", ["file.delete x"]],
    [
      "script -qc 'rm x' log; script --command='rm y'; script log rm z",
      ["x", "y", "z"].map((path) => `file.delete ${path}`),
    ],
    ["script -q <<< 'rm x'", ["file.delete x"]],
    ["unshare -r --wd prod rm x", ["file.delete x", "file.delete prod/x"]],
    ["nsenter -t 1 -m -- rm x", ["file.delete x"]],
    ["setpriv --reuid 1000 --clear-groups rm x", ["file.delete x"]],
    ["pkexec --user bob rm x", ["file.delete x"]],
    [
      "taskset -c 0-3 rm x; taskset 0x1 rm y; chrt -r 10 rm z",
      ["x", "y", "z"].map((path) => `file.delete ${path}`),
    ],
    [
      "prlimit --nofile=10 rm x; fakeroot rm y; gosu bob rm z",
      ["x", "y", "z"].map((path) => `file.delete ${path}`),
    ],
    ["parallel -j 4 rm ::: a b", ["file.delete **"]],
    ["parallel 'mv out/{} out/{.}.bak' :::: list", ["file.move out/", "file.write out/**/*.bak"]],
    ["parallel ::: 'rm a' 'git push'", ["file.delete a", "git.push"]],
    ["docker exec -it -w /srv web rm x", ["file.delete x"]],
    ["docker compose exec web sh -c 'rm x'", ["file.delete x"]],
    ["sudo podman exec -i web bash <<< 'rm x'", ["file.delete x"]],
    ["kubectl -n prod exec web -c app -- rm x", ["file.delete x"]],
    ["docker ps; kubectl get pods", []],
    ["sudo -s <<< 'rm x'", ["file.delete x"]],
    ["echo 'rm x' | sudo -u bob -i", ["file.delete x"]],
    ["sudo -s rm x", ["file.delete x"]],
    ["chroot /srv <<< 'rm x'; unshare -r <<< 'rm y'", ["file.delete x", "file.delete y"]],
  ])("%s plainly does %j", (command, expected) => {
    expect(steps(command)).toEqual(expected);
  });

  it.each([
    // What shells read in different ways is read in each.
    [`: "\${TOKEN:?You haven't set it}"; rm x`, ["file.delete x"]],
    [`echo "\${a:-it's}"; rm x`, ["file.delete x"]],
    [`echo "\${a:-'" }'}"; rm x`, ["file.delete x"]],
    [`cat <<E\n\${a:-it's} $(rm x)\nE`, ["file.delete x"]],
    [`: "\${${"a".repeat(300)}:-it's}" "\${a[${"1".repeat(300)}]-it's}"; rm x`, ["file.delete x"]],
    [`: "\${a//'"'/b}" "\${a##*'}'}" "\${a:1:'2'}" '>' b; rm x`, ["file.delete x"]],
    [`cd a; echo "\${b:-'c'}"; rm x`, ["file.delete x", "file.delete a/x"]],
    [`echo "\${a%'}'}"; rm x`, ["file.delete x"]],
    // No comment begins in an expression, or in the pattern of a test.
    ["(( a = 5 # 3 )); rm x", ["file.delete x"]],
    ["[[ a =~ (#) ]]; rm x", ["file.delete x"]],
    ["[[ a =~ b|( #|c) ]] && rm x", ["file.delete x"]],
    ["[[ a =~ (b) && ( c # it's\n) ]]; rm x", ["file.delete x"]],
    // A group in backticks is one.
    ["echo `{ rm x; }`", ["file.delete x"]],
    // To dash a sign before a quote makes nothing of it, and to it a command ends before both streams.
    [`sh -c "echo $'\\\\'; rm x #'"`, ["file.delete x"]],
    ["ls &>/dev/null rm x", ["file.delete x"]],
    // What bash reads of an assignment, and what it goes on with behind an error there.
    ["a[ #]=1; rm x", ["file.delete x"]],
    ["a[b[1]]=2 rm x; a[(1)]=2 rm y; a[;]= rm z", ["x", "y", "z"].map((path) => `file.delete ${path}`)],
    [`a[${"1 + ".repeat(20)}1]=2 rm x; a["b]c"]=1 rm y`, ["file.delete x", "file.delete y"]],
    ["a[$(rm x)]=1 rm y", ["file.delete x", "file.delete y"]],
    ["a=(1)b rm x; c=(1 2) rm y", ["file.delete x", "file.delete y"]],
    ["a=(case) rm x", ["file.delete x"]],
    // The end of a line from Windows ends a word, and what else is called like it is a character.
    ["a=\r1 rm x", ["file.delete x"]],
    ["rm x\r\nrm y\r\n", ["file.delete x", "file.delete y"]],
    // What only the shell could tell may be nothing.
    ["$SUDO rm x; sudo $FLAGS rm y; r$@m z", ["x", "y", "z"].map((path) => `file.delete ${path}`)],
    // What zsh reads otherwise.
    ["{rm x}", ["file.delete x"]],
    ["{ ls } always { rm x }", ["file.delete x"]],
    ["if [[ a ]] rm x; time if [[\na ]] rm y", ["file.delete x", "file.delete y"]],
    ["=rm x; function a b { rm y }", ["file.delete x", "file.delete y", "file.delete **"]],
    ["repeat 1 {rm x}", ["file.delete x"]],
    ["echo a( #)\nrm x '\n'", ["file.delete x", "file.delete"]],
    [">! rm x", ["file.delete x", "file.write !", "file.write rm"]],
    // What a loop goes through is what a script was given.
    ["for i do rm $i; done", ["file.delete **"]],
    ["for i { rm x; }; select i do rm y; done", ["file.delete x", "file.delete y"]],
    // Commands that stand in parameters, and here-documents behind the substitution in which they begin.
    [`echo \${a:-<(rm x)} \${b/c/>(rm y)}`, ["file.delete x", "file.delete y"]],
    ["echo $(cat <<E)\nit's\nE\nrm x", ["file.delete x"]],
    // Braces are put in first.
    ["{rm,-r,x}", ["directory.delete x"]],
    ["sudo r{m,} x", ["file.delete r", "file.delete x"]],
    ["A=b {sudo,rm,x}", ["file.delete x"]],
    ["[[ a ]] { rm x; }; - rm y; repeat 3 rm z", ["file.delete x", "file.delete y", "file.delete z"]],
    // Nothing is run, or taken out of a folder.
    ["command -v rm x; command -V rm; command -pv rm; command -p rm x", ["file.delete x"]],
    ["git rm --cached x; git rm -rn y; git rm --cached --no-cached z", ["file.delete z"]],
  ])("%s does %j, whatever stands before it", (command, expected) => {
    expect(steps(command)).toEqual(expected);
  });

  it.each([
    "a[1 <<2]=3\n'\n2]=3\nrm x",
    ": $[1 <<2]\nrm x\n2]",
    "cat <<E$(a)\n'\nE$(a)\nrm x",
    "cat <<E`a b`\n'\nE`a b`\nrm x",
    "cat <<-'\tE'\n'\n\tE\nrm x",
    `${"echo $(".repeat(6)}echo "'"${")".repeat(6)}; rm x`,
    `${"$(".repeat(6)}rm x${")".repeat(6)}`,
    `${"${a:-".repeat(6)}$(rm x)${"}".repeat(6)}`,
    "echo `echo \\`echo \\\\\\`echo $(echo $(echo $(rm x)))\\\\\\`\\``",
    `${`: $((${"0".repeat(200)}<<2))\n`.repeat(6)}cat <<'E'\nit's\nE\nrm x`,
  ])(
    "in which nobody can tell what is a here-document, or what stands too deep, may do anything (%j)",
    (command) => {
      const { steps, isRead } = toolSteps({ tool: "Bash", input: { command } }, asGiven);
      expect(isRead).toBe(false);
      expect(steps).toContainEqual({ action: "file.delete", resource: "**" });
    },
  );

  it.each([
    "[ -n a ] && cat <<E\nit's\nE\nrm x",
    "a[1]=2 cat <<E\nit's\nE\nrm x",
    "grep 'a[' <<E\nit's\nE\nrm x",
    "a[1<<2]=3\nrm x",
    `${": $[1<<2]\n".repeat(9)}cat <<E\nit's\nE\nrm x`,
    "echo $[1+2]; cat <<E\nit's\nE\nrm x",
    "cat <<$E\nit's\n$E\nrm x",
  ])("in which a bracket stands is read (%j)", (command) => {
    expect(steps(command)).toEqual(["file.delete x"]);
  });

  it.each([
    ["https://example.org/a/$P", ["example.org/**"]],
    ["https://example.org/a?q=$P", ["example.org/a"]],
    ["https://example.org/a$(b)#c", ["example.org/**"]],
    ["https://example.org$P", ["example.org*/**", ""]],
    ["https://example.org:$PORT/a", ["example.org*/**", ""]],
    ["https://$SUB.example.org/a", ["*.example.org/**", ""]],
    ["https://$USER@example.org/a", ["example.org/a", ""]],
    ["https://$HOST/a", [""]],
    ["$URL", [""]],
    ["$SCHEME://example.org/a", ["example.org/a"]],
    ["'https://example.org/{admin,q}/x'", ["example.org/admin/x", "example.org/q/x"]],
    ["'https://{a,b}.org/{c,d/../e}'", ["a.org/c", "a.org/e", "b.org/c", "b.org/e"]],
    ["'http{,s}://example.org/a'", ["example.org/a"]],
    ["'https://example.org/a{?,/}b'", ["example.org/a", "example.org/a/b"]],
    ["https://example.org/{a..c}", ["example.org/**"]],
    ["'https://example.org/{a'", ["example.org/**"]],
    [`https://example.org/${"{a,b}".repeat(20)}`, ["example.org/**"]],
    ["'https://example.org/[a]dmin/x'", ["example.org/*dmin/x"]],
    ["'https://[a-c].example.org/'", ["*.example.org"]],
    ["'http://[::1]:8080/a'", ["[::1]:8080/a"]],
    ["example.org/admin/x", ["example.org/admin/x"]],
    ["localhost:3000/x", ["localhost:3000/x"]],
    ["https:example.org/a HTTPS:///example.org/b", ["example.org/a", "example.org/b"]],
    ["'https://x\\@example.org/a'", ["example.org/a"]],
    ["--url=https://example.org/a", ["example.org/a"]],
    ["--url https://example.org/a", ["example.org/a"]],
    ["-sSLo out -X POST --data x=y -H 'A: b' https://example.org/a", ["example.org/a"]],
    ["--ssl https://example.org/a --proxy http://proxy:3128", ["example.org/a"]],
    ["-K list --config=other", [""]],
    ["-- -x.org", ["-x.org"]],
    ["--version", []],
    ["file:///etc/passwd", []],
  ])("curl %s fetches %j", (given, pages) => {
    const fetched = shellSteps(`curl ${given}`, asGiven).filter(({ action }) => action === "web.fetch");
    expect(fetched).toEqual(pages.map((resource) => ({ action: "web.fetch", resource })));
  });

  it("fetches pages by wget too, whose options are others", () => {
    expect(steps("wget -qO - -P dir example.org/admin/x --post-data a=b")).toEqual([
      "web.fetch example.org/admin/x",
    ]);
    expect(steps("wget -i list")).toEqual(["web.fetch", "file.write"]);
  });

  it.each([
    ["echo x > secrets/y", ["secrets/y"]],
    ["a>b 2>>c &>d >|e <>f 1>'g h' {fd}>i 12>j", ["b", "c", "d", "e", "f", "g h", "i", "j"]],
    ["a >& b >&2 2>&1 2>&- >&$fd", ["b", ""]],
    ["a > /dev/null 2> /dev/stderr; b | tee /dev/tty /dev/fd/3 >(c)", []],
    ["> a; { b; c; } > d; (e; f > g) 2> h | i; while j; do k; done < l > m", ["a", "d", "g", "h", "m"]],
    ["echo \"$(a > b)\" `c > d`; bash -c 'e > f'; xargs sh -c 'g > h'", ["b", "d", "f", "h"]],
    ["if [[ a > b && (c > d) ]] > e; then (( f > 5 )); echo $((1 > 2)) > g; fi", ["e", "g"]],
    ["for ((n = 9; n > 0; n--)); do a > b; done; ((c > d; e) && f)", ["b", "d"]],
    ["echo if [[ > a; '[[' > b; [ c > d ]; [[ e; f > g", ["a", "b", "d", "g"]],
    ["cat <<A > b\nc > d\nA\ne \\> 'f > g' \"h > i\" # > j", ["b"]],
    ["cd sub && a > b > /c > ~/d", ["b", "sub/b", "/c", "~/d"]],
    ["env -C sub a > b", ["b"]],
    ["a > $X > b/$X > b/$X.log > $X/c > ./$X", ["", "b/", "b/**/*.log"]],
    [`[[ -n x ]]>a; '!' [[ x > b; [[ c > d ]]&& e > f`, ["a", "b", "f"]],
    [`((echo ") " > a) ); (( "$b" > 5 )); (( $(wc -l < c) > 6 ))`, ["a"]],
    [`a \${b:-'}'} > c; d \${e:-"}"} > f; g "\${h%'"'}" > i; j \${k:-\${l}} > m`, ["c", "f", "i", "m"]],
    ["a >! b; c >>!d; e 2>! f", ["!", "!d", "d", "b", "f"]],
    ["tee -a log other; sudo tee /etc/x", ["log", "other", "/etc/x"]],
    ["touch -d 2026-01-01 a{,.b}", ["a", "a.b"]],
    ["dd if=a of=b bs=1M", ["b"]],
    ["cp a b", ["b", "b/a"]],
    ["cp -f x/a y/b dir; cp a ../dir/; cp a/. dir", ["dir/a", "dir/b", "../dir/a", "dir"]],
    ["cp -t dir a x/b; cp --target-directory=d a; cp -T a b", ["dir/a", "dir/b", "d/a", "b"]],
    [
      "cp --target=dir a; cp --tar dir b; cp --parents x/a /y/b into",
      ["dir/a", "dir/b", "into/x/a", "into/y/b"],
    ],
    ["cp -r a b; cp -a a dir/ ; cp -R a/. c/; cp -r a/. .", ["b", "b/a", "dir/a", "c", ""]],
    ["cp a/* .; cp a/*.ts dir; cp $X dir; cp $X b dir/", ["", "dir", "dir/*.ts", "dir/b", "dir/"]],
    ["cp a{,.bak}; ls | xargs -I{} cp {} dir/; ls | xargs cp -t into", ["a.bak", "a.bak/a", "dir/", "into/"]],
    ["install -m 755 a b; install -d c d", ["b", "b/a"]],
    ["install -gadmin a b; install -m644 -odaemon a c/", ["b", "b/a", "c/a"]],
    ["ln a b", ["b", "b/a", "a"]],
    ["ln -s ../secrets/y; ln -sfT ../secrets sub/z", ["./y", "./../secrets/y", "sub/z", "sub/../secrets"]],
    ["sed -i s/a/b/ f g; sed -Ei.bak -e s/a/b/ h; sed --in-place=x -f s i", ["f", "g", "h", "i"]],
    ["sed -I '' s/a/b/ f; sed -nI .bak -e p g", ["f", ".bak", "g"]],
    ["sed -i '' s/a/b/ f; sed -n 1p g; sed -e s/i/j/ h", ["f"]],
    ["perl -pi -e s/a/b/ f; perl -i.bak -pe s/a/b/ g; perl -pe s/a/b/ h", ["f", "g"]],
    ["find src -name '*.ts' -exec sed -i s/a/b/ {} +; find . -exec touch {} \\;", ["src/**/*.ts", ""]],
    ["find . -fprint a -fls /dev/stderr; find . -fprintf b %p -exec tee c ';'", ["a", "b", "c"]],
    ["find a b -execdir tee c ';'", ["c", "a/c", "b/c"]],
    [
      "curl -sSLo a https://b.org/c; curl --output=d b.org -D e -o -; curl -o /dev/null b.org",
      ["a", "d", "e"],
    ],
    ["curl -OJ b.org/c; curl --output-dir d -O b.org/{e,f}; curl -O b.org/$X", ["", "d/e", "d/f"]],
    ["curl -o 'd/#1.html' b.org/[1-3]", ["d/**/*.html"]],
    [
      "wget b.org/c/d?e; wget -P f b.org; wget -O g b.org -a h; wget -qO- b.org",
      ["d", "f/index.html", "g", "h"],
    ],
    ["wget -r -P d b.org; wget --spider b.org/x", ["d/"]],
    ["rsync -av src/ dst/; rsync -a a b; rsync -a a host:c; rsync -an a d", ["dst", "b", "b/a"]],
    ["rsync -Tn a b/; rsync -aR x/a/./b/c /y dst", ["b/a", "dst/b/c", "dst/y"]],
    ["curl --libcurl a --etag-save b b.org", ["a", "b"]],
    ["scp host:x/a . ; scp a host:b; scp -P 22 host:a host:b c", ["./a", "c/a", "c/b"]],
  ])("%s writes %j", (command, files) => {
    const written = shellSteps(command, asGiven).filter(({ action }) => action === "file.write");
    expect(written.map(({ resource }) => resource)).toEqual(files);
  });

  it.each([
    ["mv a b", ["file.move a", "file.write b", "file.write b/a"]],
    ["mv -t dir a $X", ["file.move a", "file.move", "file.write dir/a", "file.write dir/"]],
    ["git -C sub mv a b/", ["file.move a", "file.move sub/a", "file.write b/a", "file.write sub/b/a"]],
    ["rsync -a --remove-source-files src/ h:a host:dst", ["file.move src/"]],
    ["rsync -a --delete src/ dst", ["file.write dst", "file.delete dst/"]],
  ])("%s plainly does %j, away from where it was", (command, expected) => {
    expect(steps(command)).toEqual(expected);
  });

  it("is asked about by the name of a link too where it takes the place of one", () => {
    const led = (path: string): string => (path === "prod/link" ? "/tmp/x" : path);
    const written = (command: string): string[] =>
      shellSteps(command, led)
        .filter(({ action }) => action === "file.write")
        .map(({ resource }) => resource);
    expect(written("mv a prod/link")).toEqual(["/tmp/x", "prod/link", "prod/link/a"]);
    expect(written("sed -i s/a/b/ prod/link")).toEqual(["/tmp/x", "prod/link"]);
    expect(written("echo x > prod/link")).toEqual(["/tmp/x"]);
  });

  it("copies into the root or what that lies in what is named, and not over all that is there", () => {
    const named = (path: string): string => {
      if (/^\/(?:tmp\/?)?$/.test(path)) return "..";
      return path === "/tmp/root" ? "." : path;
    };
    const written = (command: string): string[] =>
      shellSteps(command, named)
        .filter(({ action }) => action === "file.write")
        .map(({ resource }) => resource);
    expect(written("cp a /tmp; mv b /tmp/root")).toEqual(["", "/tmp/a", "/tmp/root/b"]);
    expect(written("mv *.tgz /tmp")).toEqual(["", "/tmp/*.tgz"]);
    expect(written("cp -r a/. /tmp; cp -rT b /tmp/root")).toEqual(["..", "."]);
  });

  it("deletes any file where nobody can tell which, as far as its name does not tell", () => {
    const named = (command: string): string[] => shellSteps(command, asGiven).map(({ resource }) => resource);
    expect(named("rm $X; rm ./$X; rm /$X; rm a$X")).toEqual(["**"]);
    expect(named("rm -r prod/$X ~/$X/ prod/a$X/b")).toEqual(["prod/", "~/", "prod/**/b"]);
    expect(named("rm $X/build $X.log $X/../y {1..3} a/{1..3}.c")).toEqual([
      ...["**/build", "**/*.log", "**", "a/**/*.c"],
    ]);
    expect(named("find a b -name '*.o' -exec rm {} +; find -name x -exec rm {} +")).toEqual([
      ...["a/**/*.o", "b/**/*.o", "**/x"],
    ]);
    expect(named("find a ! -name x -exec rm {} +; find a -name x -o -name y -exec rm {} +")).toEqual(["a/"]);
    expect(named("cd $X; rm ./a ../b /c ~/d")).toEqual(["./a", "**/a", "../b", "**", "/c", "~/d"]);
    expect(named("chmod +x $X a/$X b/$X.sh")).toEqual(["", "a/", "b/**/*.sh"]);
  });

  it.each([
    "npm test",
    "ls -la && cat a.txt",
    "git status",
    "git reset HEAD a",
    "echo rm a",
    "echo 'rm a'",
    "# rm a",
    "ls # rm a",
    "grep -r 'drop table' src",
    "cargo rm dep",
    "npm rm left-pad",
    "cat 2>&1 2>/dev/null",
    "cat <<< 'rm x'",
    "echo 'rm x' || bash",
    "echo 'rm x' | cat; bash",
    "xargs --max-args 1 echo rm",
    "git push-notes +x",
    "find tmp -name rm",
    "",
  ])("%s is no such thing", (command) => {
    expect(steps(command)).toEqual([]);
  });

  it.each([
    ['pwsh -NoProfile -Command "Remove-Item -Recurse x"', ["directory.delete x"]],
    ["powershell.exe -ExecutionPolicy Bypass Set-Content x y", ["file.write x"]],
    ["pwsh <<A\nri x\nA", ["file.delete x"]],
    ["echo 'del x' | pwsh -c -", ["file.delete x"]],
    ["powershell -File a.ps1 rm x", []],
  ])("%s is one of PowerShell that does %j", (command, expected) => {
    expect(steps(command)).toEqual(expected);
  });

  it.each([
    "$(".repeat(50_000),
    "'".repeat(99_999),
    "`".repeat(99_999),
    "a<<x\n".repeat(20_000),
    "(".repeat(100_000),
    "rm x;".repeat(50_000),
    `${"sudo ".repeat(50_000)}rm a`,
    'bash -c "'.repeat(20_000),
    "$'".repeat(50_000),
    `$'${"x\\".repeat(50_000)}`,
    "echo 'rm a' | bash | ".repeat(5_000),
    "bash <<< ".repeat(11_000),
    "env ".repeat(25_000),
    `find ${"-exec ".repeat(20_000)}`,
    `find ${"-exec a + ".repeat(10_000)}`,
    `if ! ${"while ".repeat(15_000)} rm a`,
    `cat <<A\n${"x\\\n".repeat(30_000)}`,
    `cat <<A\n${"$(".repeat(50_000)}`,
    `apply_patch <<A\n${"*** \n".repeat(20_000)}`,
    `apply_patch <<A\n${" ".repeat(100_000)}`,
    `printf '${"%s".repeat(20_000)}' ${"x ".repeat(20_000)} | sh`,
    `curl ${"{a,".repeat(30_000)}`,
    `curl ${"{a,b}".repeat(20_000)}`,
    `curl -${"s".repeat(90_000)}`,
    `${"a[ ".repeat(30_000)}rm x`,
    `env ${"-i ".repeat(30_000)}`,
    ">a ".repeat(30_000),
    "a>b;".repeat(25_000),
    "a > {".repeat(20_000),
    `a > ${"{a,".repeat(30_000)}`,
    `a > ${"{,".repeat(40_000)}}`,
    `a > ${",".repeat(99_000)}{`,
    "((".repeat(50_000),
    `${"((1 ".repeat(25_000)}${"))".repeat(1_000)}`,
    `$((${"(".repeat(90_000)}`,
    `${"if ".repeat(15_000)}${"[[ ]] ".repeat(8_000)}`,
    ">(".repeat(50_000),
    "> >(".repeat(25_000),
    "&>".repeat(50_000),
    `a ${"$X/".repeat(30_000)} > ${"$X/".repeat(3_000)}`,
    `cp ${"{a,b} ".repeat(15_000)}c`,
    `mv ${"a/".repeat(40_000)} b`,
    `ln -s ${"a ".repeat(45_000)} b/`,
    `sed ${"-i ".repeat(30_000)}`,
    `perl -${"p".repeat(90_000)}`,
    `curl ${"-o a -O ".repeat(10_000)} b.org`,
    `xargs -I a mv ${"a ".repeat(40_000)}`,
    `find ${"a ".repeat(20_000)} ${"-exec rm {} + ".repeat(4_000)}`,
    `find ${"a".repeat(40_000)} -exec echo ${"{}".repeat(25_000)} +`,
    `find a -name ${"a".repeat(40_000)} -exec echo ${"{}".repeat(25_000)} +`,
    "sh <<x\n".repeat(14_000),
    "${".repeat(50_000),
    '"${'.repeat(33_000),
    "${a:-'".repeat(16_000),
    "`\\".repeat(50_000),
    `$(${"case x in ".repeat(10_000)}`,
    `$(${"case x in x) ".repeat(7_000)}`,
    "echo >!".repeat(14_000),
    `*** Add File: a\n${"apply_patch;".repeat(8_000)}`,
    "psql;".repeat(20_000),
    `printf '${"rm a;".repeat(10_000)}%s' ${"x ".repeat(25_000)} | sh`,
    `cp ${"a ".repeat(25_000)}${"b".repeat(50_000)}`,
    `ln -s ${"a ".repeat(25_000)}${"b".repeat(50_000)}/`,
    "cd a; rm b;".repeat(9_000),
    "cd ../a; rm b;".repeat(7_000),
    `$(${"a;".repeat(150_000)})`,
    `a; ${">b ".repeat(150_000)}`,
    `echo '${"rm x;".repeat(20_000)}' | { ${"bash; ".repeat(20_000)} }`,
    `env ${"-S '' ".repeat(40_000)}rm x`,
    `echo a | ${"docker exec c ".repeat(20_000)}`,
    `su ${"-c ".repeat(80_000)}`,
    `curl -- ${"b ".repeat(150_000)}`,
    `a;${"<<b ".repeat(6_000)}${";".repeat(5_000)}`,
    `cd ${"/".repeat(60_000)}a`,
    `printf %${"0".repeat(30_000)}!`,
    `bash -${"c".repeat(9_000)}!`,
    `curl ${`{${"a,".repeat(49)}a}.b `.repeat(50)};`.repeat(11),
    `mv ${"{a,b}".repeat(20)} x;`.repeat(400),
  ])("that is hostile is read in time", (command) => {
    expect(readIn(() => shellSteps(command.slice(0, readAtMost), asGiven))).toBeLessThan(ceilingMs);
  });

  it.each([
    "eval eval eval eval eval eval git branch -D main",
    "sh -c 'eval eval eval eval eval unlink a'",
    "docker exec a docker exec b docker exec c docker exec d docker exec e docker exec f rm x",
    `${"runuser -u bob ".repeat(10)} rm x`,
    "eval eval eval eval eval find . -exec rm {} +",
  ])("%s is nested deeper than it is read, and asked about as all there are", (command) => {
    expect(steps(command)).toEqual([
      ...["file.write **", "file.move **", "file.delete **", "directory.delete **"],
      ...["git.commit", "git.push", "git.push_force", "git.reset_hard", "branch.delete"],
      ...["db.delete", "db.drop", "web.fetch **", "access.grant **"],
    ]);
  });

  it.each(["Bash", "PowerShell", "Monitor"])("of %s that is longer than 64 KiB may do anything", (tool) => {
    const asked = (command: string) =>
      toolSteps({ tool, input: { command } }, (path) => path).steps.map(({ action, resource }) =>
        `${action} ${resource}`.trim(),
      );
    const fill = (length: number) => `rm x;${" ".repeat(length - 5)}`;
    expect(asked(fill(65_536))).not.toContain("access.grant **");
    const all = asked(fill(65_537));
    expect(all[0]).toBe("shell.run");
    for (const step of [
      "file.delete **",
      "file.write **",
      "directory.delete **",
      "web.fetch **",
      "access.grant **",
    ])
      expect(all).toContain(step);
    for (const step of ["git.push", "git.push_force", "branch.delete", "db.drop"])
      expect(all).toContain(step);
  });

  it.each([
    ["commands", (n: number) => "rm x;".repeat(n)],
    [
      "commands in a loop",
      (n: number) => `for f in a b; do ${"mkdir -p out; cp x out/y; ".repeat(n / 2)} done`,
    ],
    ["words", (n: number) => `true ${"word ".repeat(12 * n)}`],
    ["substitutions", (n: number) => `echo "${"$(date) ".repeat(n)}"`],
    ["redirections", (n: number) => "echo a >> log\n".repeat(n)],
  ])("of many %s is read up to some number, and may do anything from some on", (_, command) => {
    const isRead = (n: number) => toolSteps({ tool: "Bash", input: { command: command(n) } }, asGiven).isRead;
    expect([10, 400, 4_000].map(isRead)).toEqual([true, true, false]);
    const { steps: all } = toolSteps({ tool: "Bash", input: { command: command(4_000) } }, asGiven);
    expect(all).toContainEqual({ action: "file.delete", resource: "**" });
    expect(all).toContainEqual({ action: "git.push_force", resource: "" });
  });

  const lines = "It is 'one' of (many) lines; each of which | says > something.\n"
    .repeat(1_000)
    .slice(0, 64_000);
  it.each([
    ["a file that is written down", `cat > a.md <<'END'\n${lines}\nEND\n`, ["file.write a.md"]],
    ["one in which variables stand", `cat > a.md <<END\n${lines}$HOME\nEND\n`, ["file.write a.md"]],
    ["a text between quotes", `git commit -m "${lines}"`, ["git.commit"]],
    ["a script between others", `python3 -c '${lines.replaceAll("'", "")}'`, []],
    [
      "names of files",
      `git add ${Array.from({ length: 2_000 }, (_, n) => `src/parts/part-${n}.test.ts`).join(" ")}`,
      [],
    ],
  ])("that is long because of %s is read whole", (_, command, expected) => {
    expect(command.length).toBeLessThanOrEqual(readAtMost);
    expect(command.length).toBeGreaterThan(50_000);
    expect(steps(command)).toEqual(expected);
  });

  it("is read through five texts of commands, one in the other", () => {
    expect(steps("eval eval eval eval eval rm x")).toEqual(["file.delete x"]);
    expect(steps("eval eval eval eval eval eval ''")).toEqual([]);
  });

  it("that deletes a great many files looks few of them up", () => {
    const lookups = (command: string): number => {
      let count = 0;
      shellSteps(command, (path) => {
        count += 1;
        return path;
      });
      return count;
    };
    expect(lookups("rm x;".repeat(400))).toBe(2);
    const many = Array.from({ length: 1_000 }, (_, n) => n);
    const groups = many.slice(0, 25).map((n) => `rm ${many.slice(40 * n, 40 * n + 40).join(" ")}`);
    expect(lookups(groups.join(";"))).toBe(500);
  });
});

/** What is longer is read by nobody. */
const readAtMost = 64 * 1024;

/**
 * As of a hostile context (see hostile.test.ts): the promise is 10 ms on a machine of its own, the ceiling five times that of
 * processor time, the best of several. Read to the end, commands like these take up to half a second.
 */
const ceilingMs = 50;

/** Milliseconds of this process alone, whatever else the machine does. */
function readIn(read: () => readonly unknown[]): number {
  let ms = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 4; n++) {
    const from = process.cpuUsage();
    expect(read().length).toBeLessThanOrEqual(60);
    const { user, system } = process.cpuUsage(from);
    ms = Math.min(ms, (user + system) / 1_000);
  }
  return ms;
}

describe("a patch", () => {
  const patchOf = (command: string) => toolSteps({ tool: "apply_patch", input: { command } }, asGiven);

  it("of a megabyte is read whole", () => {
    const body = "+a line of code, as there are many in a file\n".repeat(25_000);
    const command = `*** Begin Patch\n*** Add File: a\n${body}*** Delete File: b\n*** End Patch\n`;
    expect(command.length).toBeGreaterThan(1 << 20);
    expect(patchOf(command)).toEqual({
      steps: [
        { action: "file.write", resource: "a" },
        { action: "file.delete", resource: "b" },
      ],
      isRead: true,
    });
  });

  it.each([
    "*** Add File: a\n".repeat(60_000),
    "*** \n".repeat(200_000),
    `${" *** ".repeat(200_000)}\n`,
    `${" ".repeat(500_000)}*** \n${" ".repeat(500_000)}*** `,
    `\u0000${"\n*** a".repeat(150_000)}`,
  ])("that is hostile is read in time, or may write and delete anything", (command) => {
    expect(readIn(() => patchOf(command).steps)).toBeLessThan(ceilingMs);
    const { steps: all, isRead } = patchOf(command);
    if (!isRead)
      expect(all).toEqual([
        { action: "file.write", resource: "**" },
        { action: "file.delete", resource: "**" },
      ]);
  });
});

describe("a command of PowerShell", () => {
  const asked = (command: string): string[] =>
    toolSteps({ tool: "PowerShell", input: { command } }, asGiven)
      .steps.map(({ action, resource }) => `${action} ${resource}`.trim())
      .filter((step) => step !== "shell.run");

  it.each([
    [
      "Remove-Item a, 'b c' ,\"d\"; ri -Path:e\\f; DEL C:\\g",
      ["a", "b c", "d", "e/f", "C:/g"].map((path) => `file.delete ${path}`),
    ],
    [
      "Remove-Item -Recurse -Force a; rm -rf b; rmdir c; rd -Path d",
      ["a", "b", "c", "d"].map((path) => `directory.delete ${path}`),
    ],
    ["Remove-Item -Force -ErrorAction Stop -Include *.o a", ["file.delete a"]],
    ["gci prod | Remove-Item", ["file.delete **"]],
    ["gci prod | % { Remove-Item $_.FullName }", ["file.delete **"]],
    [
      'Remove-Item "$d\\x" -Recurse; ri (Join-Path a b); ri prod\\$x',
      ["directory.delete **/x", "file.delete **", "file.delete prod/"],
    ],
    ["Remove-Item Env:A, Variable:b", []],
    [
      "Set-Content -Path a -Value 'b c'; ac b c; clc c; sc -Value x d",
      ["a", "b", "c", "d"].map((path) => `file.write ${path}`),
    ],
    [
      "'x' | Out-File -FilePath a\\b -Append -Encoding utf8; x | tee c | Tee-Object -Variable v",
      ["file.write a/b", "file.write c"],
    ],
    ["@'\nrm no\n'@ | Set-Content a; @\"\n$(rm b)\n\"@", ["file.write a", "file.delete b"]],
    [
      "a > b 2>&1; c 2> $null *>> d; $r > out\\$n.txt; 5 -gt 4",
      ["file.write b", "file.write d", "file.write out/**/*.txt"],
    ],
    ["New-Item a -Name b; ni -ItemType Directory c; mkdir d", ["file.write a/b"]],
    ["New-Item -ItemType SymbolicLink a -Target secrets", ["file.write a", "file.write secrets"]],
    ["Move-Item a b", ["file.move a", "file.write b", "file.write b/a"]],
    [
      "mv -Path a,b -Destination d\\; Copy-Item -Recurse e d; cp f",
      [
        "file.move a",
        "file.move b",
        "file.write d/a",
        "file.write d/b",
        "file.write d",
        "file.write d/e",
        "file.write ./f",
      ],
    ],
    ["Rename-Item d\\a b", ["file.move d/a", "file.write d/b"]],
    [
      "iwr https://example.org/a -Headers @{b='c'} -OutFile d; irm -Uri example.org/$e",
      ["web.fetch example.org/a", "file.write d", "web.fetch example.org/**"],
    ],
    [
      "if ($a) { rm b } elseif (rm c) { try { rm d } catch {} } rm e",
      ["b", "c", "d", "e"].map((path) => `file.delete ${path}`),
    ],
    [
      "$a = rm b; $c.d=rm e; [string]$f = rm g; return rm h",
      ["b", "e", "g", "h"].map((path) => `file.delete ${path}`),
    ],
    [
      "iex 'rm a'; & 'C:\\Git\\bin\\git.exe' push --force; bash -c 'rm b\\ c'",
      ["file.delete a", "git.push", "git.push_force", "file.delete b c"],
    ],
    ["Set-Location src\\a; rm b", ["file.delete b", "file.delete src/a/b"]],
    ["rm `\n a`'b # rm c\n<# rm d\n#> rm e", ["file.delete a'b", "file.delete e"]],
    ["Write-Host 'rm a' \"b > c\" | Out-Null; echo rm d", []],
    [
      "Remove-Item “a b”, ‘c’; ri –Path d–e; ri —Recurse f",
      ["file.delete a b", "file.delete c", "file.delete d–e", "directory.delete f"],
    ],
    [
      "& { param($p) rm a }; & { [b()] param ($p = 'c') rm d }; cp param (e) -Destination f",
      ["file.delete a", "file.delete d", "file.write f/param", "file.write f/"],
    ],
    ["Set-Content -Va x a", ["file.write a"]],
    // What stands in a text for a value has texts of its own.
    [`"$("it's")"; rm x`, ["file.delete x"]],
    [
      `"$($a -replace "'", '"')"; rm x; "$(rm y # it's ")"\n)$("$(rm z)")"`,
      ["x", "y", "z"].map((path) => `file.delete ${path}`),
    ],
    [`@"\n$(@"\nit's\n"@; rm x)\n"@; rm y`, ["file.delete x", "file.delete y"]],
    ["@{a = rm x; 'b c'=rm y\nd = 1}; $a[(rm z)]", ["x", "y", "z"].map((path) => `file.delete ${path}`)],
    ["$a = @{b = 'rm x'; c = @{d = 1}}; $a[0] = rm y", ["file.delete y"]],
    [
      "curl example.org -OutFile a; wget -OutF b -Uri example.org",
      ["web.fetch example.org", "file.write a", "file.write b"],
    ],
    ["Microsoft.PowerShell.Management\\Remove-Item a", ["file.delete a"]],
    ["(ls)#it's\nrm x", ["file.delete x"]],
    ['echo "a"#it\'s\nrm x', ["file.delete x"]],
    ["$a = 1#it's\nrm x", ["file.delete x"]],
    ["$a#it's\nrm x", ["file.delete x"]],
    ["echo a#b; rm x", ["file.delete x"]],
    ["git log --% 'it\nrm x", ["file.delete x"]],
    ["git log --% (it\nrm x", ["file.delete x"]],
    ['git log --% "it | rm y"| rm x', ["file.delete x"]],
    ["rm --% x 'y", ["file.delete --%", "file.delete x", "file.delete y", "file.delete 'y"]],
    ["[int] $a = rm x", ["file.delete x"]],
    ["[int]$a=rm x", ["file.delete x"]],
    ["$a,$b=rm x", ["file.delete x"]],
    ["$a, $b += rm x", ["file.delete x"]],
    ["[int] $a, [string] $b = rm x", ["file.delete x"]],
    ["$a::b=rm x", ["file.delete x"]],
    ["[A.B]::c=rm x", ["file.delete x"]],
    ["(ls).a=rm x", ["file.delete x"]],
    ["$a[ 0 ] = rm x", ["file.delete x"]],
    ["param([int] $a = rm x)", ["file.delete x"]],
    ["git commit -m a && git push || git reset --hard", ["git.commit", "git.push", "git.reset_hard"]],
  ])("%s plainly does %j", (command, expected) => {
    expect(asked(command)).toEqual(expected);
  });

  it.each([
    "(".repeat(100_000),
    "{".repeat(100_000),
    ")".repeat(100_000),
    "$(".repeat(50_000),
    '"$('.repeat(33_000),
    `"${"$(a)".repeat(25_000)}"`,
    "$a[".repeat(33_000),
    "${".repeat(50_000),
    `$a${".b".repeat(50_000)}`,
    "@'\n".repeat(33_000),
    `@"\n${"$a".repeat(50_000)}`,
    "`".repeat(100_000),
    "a,".repeat(50_000),
    " ".repeat(100_000),
    "<# ".repeat(33_000),
    ">a ".repeat(33_000),
    "rm x;".repeat(20_000),
    `rm ${"-Path a ".repeat(12_000)}`,
    `cp ${"-x ".repeat(30_000)}`,
    "iex 'iex ".repeat(10_000),
    "pwsh -c ".repeat(12_000),
    `mv ${"a ".repeat(25_000)}${"b".repeat(50_000)}`,
    `ni -Path ${"a,".repeat(12_000)}a -Name ${"b,".repeat(12_000)}b`,
    `"$(${"a;".repeat(150_000)})"`,
    `ni -Path ${"a,".repeat(50)}a -Name ${"b,".repeat(50)}b;`.repeat(80),
  ])("that is hostile is read in time", (command) => {
    const text = command.slice(0, readAtMost);
    expect(readIn(() => shellSteps(text, asGiven, powershellCommands))).toBeLessThan(ceilingMs);
  });
});
