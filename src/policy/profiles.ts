import { open } from "./profiles/open.js";
import { standard } from "./profiles/standard.js";
import { strict } from "./profiles/strict.js";

/** Rule sets that come with the program, by the names under which others build on them. */
export const profiles: Readonly<Record<"open" | "standard" | "strict", string>> = { open, standard, strict };
