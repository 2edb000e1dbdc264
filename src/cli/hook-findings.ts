import { visible } from "../addresses/index.js";
import type { HookSpot } from "./codex-trust.js";
import { jsonAt, Unreadable } from "./edit-json.js";
import { type Finding, fail, ok, warn } from "./finding.js";
import { type HookPlace, hookPlaces } from "./hook-places.js";
import { hookProgram } from "./hook-program.js";
import { plural } from "./print.js";
import { type Surroundings, surroundings } from "./surroundings.js";
import { textOf } from "./write-whole.js";

/** Our hooks, and those among them that stop a client's calls. */
const ours = /\b(check --hook|policy hook|guard (edit|stop))\b/;
const stops = /\b(policy hook|guard edit)\b/;

interface Hook extends HookSpot {
  readonly command: string;
}

/**
 * Looks at our hooks in the files in which their clients look for some. A client makes a call whose hook it cannot start, and says
 * nothing of it: a policy or a guard that cannot run is a failure, a reminder a warning.
 */
export function hookFindings(): Finding[] {
  const around = surroundings();
  return hookPlaces.flatMap((place) =>
    [...new Set([place.file(around), ...place.otherFiles(around)])].flatMap((file) =>
      findingsAt(file, place, around),
    ),
  );
}

function findingsAt(file: string, place: HookPlace, around: Surroundings): Finding[] {
  let text = "";
  try {
    text = textOf(file) ?? "";
    if (!ours.test(text)) return [];
    place.refuse(text);
    const hooks = hooksOf(jsonAt(text, ["hooks"]));
    return hooks.length === 0 ? [] : programFindings(hooks, place, file, around);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!(error instanceof Unreadable) && code === undefined) throw error;
    const why = error instanceof Unreadable ? error.message : `it cannot be read (${code})`;
    return [
      (stops.test(text) ? fail : warn)(
        "hooks",
        `${visible(file)}: ${why}; hooks in it that ${place.title} cannot read do not run`,
        "correct the file",
      ),
    ];
  }
}

function programFindings(
  hooks: readonly Hook[],
  place: HookPlace,
  file: string,
  around: Surroundings,
): Finding[] {
  const looked = hooks.map((hook) => ({ ...hook, program: hookProgram(hook.command, around) }));
  const missing = looked.flatMap((one) =>
    typeof one.program === "string" ? [] : [{ ...one, missing: one.program.missing }],
  );
  const findings = [...new Set(missing.map((one) => one.missing))].map((program) =>
    missingFinding(
      program,
      missing.filter((one) => one.missing === program),
      place,
      file,
    ),
  );
  if (findings.length > 0) return findings;
  const untrusted = looked.filter((hook) => place.isUntrusted(hook, around));
  if (untrusted.length > 0) return [untrustedFinding(untrusted, place, file)];
  const untold = looked.filter(({ program }) => program === "untold").length;
  return [
    ok(
      "hooks",
      `${plural(looked.length, "hook")} of ${place.title} in ${visible(file)}: ${
        untold === 0
          ? "what they start is there"
          : `what ${untold === looked.length ? "they start" : `${untold} of them start`}, only their shell could tell`
      }`,
    ),
  ];
}

function missingFinding(program: string, hooks: readonly Hook[], place: HookPlace, file: string): Finding {
  const events = [...new Set(hooks.map(({ event }) => event))].join(", ");
  const has = (form: RegExp): boolean => hooks.some(({ command }) => form.test(command));
  const where = /[/\\]/.test(program) ? "is not there" : "is not on the PATH of this terminal";
  const switches = [
    ...(has(/check --hook/) ? ["--hooks"] : []),
    ...(has(/policy hook/) ? ["--policy-hook"] : []),
  ];
  const anew = `llm-mailbox init --client ${place.client} ${switches.join(" ")}`;
  return (has(stops) ? fail : warn)(
    "hooks",
    `${visible(program)} ${where}, but hooks in ${visible(file)} start it (${visible(events)}): ${place.title} goes on without them and says nothing`,
    `correct it in that file${switches.length === 0 ? "" : `, or remove those hooks from it and have them written anew: ${anew}`}`,
  );
}

function untrustedFinding(hooks: readonly Hook[], place: HookPlace, file: string): Finding {
  const events = [...new Set(hooks.map(({ event }) => event))].join(", ");
  return warn(
    "hooks",
    `${place.title} does not trust ${plural(hooks.length, "hook")} in ${visible(file)} yet (${visible(events)}): it goes on without ${hooks.length === 1 ? "it" : "them"} and says nothing`,
    `start ${place.title} in a terminal, where it asks whether to trust ${hooks.length === 1 ? "it" : "them"}`,
  );
}

/** The commands of ours below `hooks`; what is not of the shape that clients read is no hook. */
function hooksOf(events: unknown): Hook[] {
  return Object.entries(objectOf(events)).flatMap(([event, groups]) =>
    listOf(groups).flatMap((one, group) =>
      listOf(objectOf(one).hooks).flatMap((hook, index) => {
        const { command } = objectOf(hook);
        return typeof command === "string" && ours.test(command) ? [{ event, group, index, command }] : [];
      }),
    ),
  );
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
