import { readlinkSync } from "node:fs";
import { dirname, join, parse, resolve, sep } from "node:path";

/** A system refuses longer paths, and more links in one. */
const mostLength = 8_192;
const mostLinks = 40;

/**
 * The whole path by which the system knows a file, whether or not it exists: step by step, so that `..` behind a link leads
 * out of the folder that the link leads to, and a link to nothing yet is what a file made by it will be. Of what the
 * system would refuse (a ring of links, a path too long) by its letters alone.
 *
 * @param folder where a path begins that is not whole
 */
export function realPath(folder: string, given: string): string {
  // On Windows `..` is taken back before links are looked at.
  const whole =
    sep === "\\" ? resolve(folder, given) : given.startsWith("/") ? given : `${resolve(folder)}/${given}`;
  if (whole.length > mostLength) return resolve(whole);
  const { root } = parse(resolve(whole));
  const steps = whole
    .slice(whole.startsWith(root) ? root.length : 0)
    .split(sep)
    .reverse();
  let at = root;
  for (let links = 0; steps.length > 0; ) {
    const name = steps.pop()!;
    if (name === "" || name === ".") continue;
    const next = name === ".." ? dirname(at) : join(at, name);
    const target = name === ".." ? undefined : linkedTo(next);
    if (target === undefined) at = next;
    else if (++links > mostLinks) return resolve(whole);
    else {
      const from = parse(target).root;
      if (from !== "") at = resolve(at, from);
      steps.push(...target.slice(from.length).split(sep).reverse());
    }
  }
  return at;
}

function linkedTo(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
