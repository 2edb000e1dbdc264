import { nearest } from "../addresses/index.js";
import { denial } from "../policy/index.js";
import { hookPath } from "./closed-hook.js";

const switches = ["agent", "ask", "closed", "root"];
const onOrOff = ["1", "true", "0", "false"];

/**
 * The denial for a hook whose address says what nobody understands, as a misspelt option of the command blocks: an error
 * would be passed over, and with it the `closed` that was perhaps meant. Undefined for any other address.
 *
 * @param address the path of the request with its query, or the whole address
 */
export function misspeltHook(address: string): object | undefined {
  const [path = "", query = ""] = address.replace(/^https?:\/\/[^/?#]*/, "").split(/[?#]/);
  if (path !== hookPath) return undefined;
  const problem = problemOf(new URLSearchParams(query));
  return problem === undefined ? undefined : denial(`the address of this hook is wrong: ${problem}`);
}

function problemOf(given: URLSearchParams): string | undefined {
  for (const [name, value] of given) {
    if (!switches.includes(name)) {
      const lower = name.toLowerCase();
      const meant = switches.includes(lower) ? lower : nearest(lower, switches);
      // What it is called is not told: it may be a secret.
      return `there is a parameter that is not known${meant ? `; the nearest is ${meant}` : ""} (there are ${switches.join(", ")})`;
    }
    if (given.getAll(name).length > 1) return `${name} is there twice`;
    if ((name === "ask" || name === "closed") && !onOrOff.includes(value))
      return `${name} is ${onOrOff.join(", ")}, or left out`;
  }
  return undefined;
}
