/** From low to urgent; their place is their number in the store. */
export const priorities = ["low", "normal", "high", "urgent"] as const;
