/** Where guards on machines without the store ask. */
export const guardPath = "/locks/guard";
