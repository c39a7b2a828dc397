import type { Call, Outcome, Stage } from "#runtime/call/call";
import { argumentsDigest } from "#runtime/digest";
import type { RequestFacts } from "#runtime/call/exchange";
import { plainText } from "#runtime/plain-text";
import type { Redactor } from "#runtime/redactor";

const LONGEST_NAME = 128;
const LONGEST_ARGUMENTS = 4_096;

/** The arguments as the audit may hold them: redacted for reads, only their digest for everything else. */
function argumentFacts(call: Call, redactor: Redactor): RequestFacts {
  const component = call.entry?.link.component ?? "";
  try {
    const argsSha = argumentsDigest(component, call.name, call.args);
    if (call.entry === undefined || call.entry.writes) return { argsSha };
    const args = redactor.value(call.args).value;
    return JSON.stringify(args).length > LONGEST_ARGUMENTS ? { argsSha } : { argsSha, args };
  } catch {
    // Not canonical JSON (a lone surrogate, endless nesting): validation or the tool decides, without a digest.
    return {};
  }
}

function outcomeFacts(outcome: Outcome): RequestFacts {
  if (outcome.kind === "result") return { decision: "allow", reason: "allowed", ok: true };
  if (outcome.kind === "unknown") return { decision: "deny", reason: outcome.reason, ok: false };
  const { code } = outcome.fault;
  const denied = outcome.decision === "deny";
  return { decision: outcome.decision, reason: denied ? code : "allowed", ok: false, fault: code };
}

/** Tells the audit which tool was called and how that ended. */
export function noteCall(redactor: Redactor): Stage {
  return async (call, next) => {
    const { id, component } = call.entry?.link ?? {};
    const link = id === undefined || component === undefined ? {} : { link: id, component };
    call.exchange.note({
      tool: plainText(call.name.slice(0, LONGEST_NAME)),
      ...link,
    });
    const outcome = await next(call);
    // As they were sent, when no stage came as far as the arguments that the tool would see.
    const isNoted = call.exchange.facts().argsSha !== undefined;
    call.exchange.note({ ...(isNoted ? {} : argumentFacts(call, redactor)), ...outcomeFacts(outcome) });
    return outcome;
  };
}

/** Tells the audit the arguments that the tool will see, defaults included. */
export function noteArguments(redactor: Redactor): Stage {
  return async (call, next) => {
    call.exchange.note(argumentFacts(call, redactor));
    return await next(call);
  };
}
