import type { Stage } from "#runtime/call";
import { fitEnvelope } from "#runtime/fit-envelope";

/** Stands outside of redaction, so that a cut never leaves half a credential that nothing recognises. */
export function fitBudget(maxResultBytes: number): Stage {
  return async (call, next) => {
    const outcome = await next(call);
    return outcome.kind === "result"
      ? { kind: "result", envelope: fitEnvelope(outcome.envelope, maxResultBytes) }
      : outcome;
  };
}
