import { ToolFault } from "#runtime/fault";

/** The fault that `act` ends in; anything else it throws goes on, and an answer is an error of the test. */
export function faultOf(act: () => unknown): ToolFault {
  try {
    act();
  } catch (error) {
    if (error instanceof ToolFault) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}
