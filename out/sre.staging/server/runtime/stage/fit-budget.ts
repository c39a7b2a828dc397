import type { Stage } from "#runtime/call/call";
import { fitEnvelope } from "#runtime/call/fit-envelope";

/** Stands outside of redaction, so that a cut never leaves half a credential that nothing recognises. */
export function fitBudget(maxResultBytes: number): Stage {
  return async (call, next) => {
    const outcome = await next(call);
    if (outcome.kind !== "result") return outcome;
    const { envelope, json = JSON.stringify(envelope) } = outcome;
    if (Buffer.byteLength(json) <= maxResultBytes) return { ...outcome, json };
    return { kind: "result", envelope: fitEnvelope(envelope, maxResultBytes) };
  };
}
