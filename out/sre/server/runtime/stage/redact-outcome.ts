import type { Outcome, Stage } from "#runtime/call/call";
import { envelopeJson } from "#runtime/call/envelope";
import type { Envelope } from "#runtime/call/envelope";
import type { Redactor } from "#runtime/redactor";

function redactResult(envelope: Envelope, redactor: Redactor): Outcome {
  const data = redactor.value(envelope.data);
  const warnings = envelope.warnings.map((warning) => redactor.text(warning));
  const hint = envelope.truncation?.hint === undefined ? undefined : redactor.text(envelope.truncation.hint);
  const cursor = envelope.page?.next_cursor == null ? undefined : redactor.text(envelope.page.next_cursor);
  const parts = [
    data,
    ...warnings,
    ...(hint === undefined ? [] : [hint]),
    ...(cursor === undefined ? [] : [cursor]),
  ];
  const redacted: Envelope = {
    ...envelope,
    data: data.value,
    warnings: warnings.map(({ value }) => value),
    truncation:
      envelope.truncation === null || hint === undefined
        ? envelope.truncation
        : { ...envelope.truncation, hint: hint.value },
    page:
      envelope.page === null || cursor === undefined
        ? envelope.page
        : { ...envelope.page, next_cursor: cursor.value },
    redactions: envelope.redactions + parts.reduce((sum, { count }) => sum + count, 0),
  };
  return { kind: "result", envelope: redacted, json: envelopeJson(redacted, data.json) };
}

const LONGEST_PATCH = 32_768;

function redactFault(outcome: Extract<Outcome, { kind: "fault" }>, redactor: Redactor): Outcome {
  const { message, hint, patch, ...rest } = outcome.fault;
  const clean = (text: string): string => redactor.text(text).value.slice(0, 2_000);
  return {
    ...outcome,
    fault: {
      ...rest,
      message: clean(message),
      ...(hint === undefined ? {} : { hint: clean(hint) }),
      ...(patch === undefined ? {} : { patch: redactor.text(patch).value.slice(0, LONGEST_PATCH) }),
    },
  };
}

/** Takes credentials and invisible characters out of everything that a service or a handler said. */
export function redactOutcome(redactor: Redactor): Stage {
  return async (call, next) => {
    const outcome = await next(call);
    if (outcome.kind === "result") return redactResult(outcome.envelope, redactor);
    return outcome.kind === "fault" ? redactFault(outcome, redactor) : outcome;
  };
}
