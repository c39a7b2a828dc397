/** As the emitted server adds it; the lock holds both to the same words. */
export const CHANGE_REF_SCHEMA = {
  type: "string",
  pattern: "^[A-Za-z0-9][A-Za-z0-9._/#-]{2,63}$",
  description: "Id of the change record that covers this call; ask a person for it, never make one up.",
} as const;
