/** Nothing is forbidden, nothing is counted: for trying things out, or to build on. */
export const open = `
version: 1
otherwise: allow
unknown: allow
`.trimStart();
