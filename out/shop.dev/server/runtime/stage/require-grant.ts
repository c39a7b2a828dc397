import { entryOf } from "#runtime/call/call";
import type { Stage } from "#runtime/call/call";
import type { Principal } from "#runtime/identity/identity";
import { NO_TOOL } from "#runtime/policy/gate";
import type { PolicyGate, PolicyVerdict } from "#runtime/policy/gate";
import type { ToolEntry, ToolIndex } from "#runtime/surface/tool-index";

/**
 * What stands beside the tools of a link is for those who may call one of them; where there are none, for those who may
 * call any.
 */
function toolsBehind(entry: ToolEntry, tools: ToolIndex): readonly ToolEntry[] {
  if (entry.isContent !== true) return [entry];
  const reads = tools.entries.filter(({ allowed, writes }) => allowed !== undefined && !writes);
  const own = reads.filter(({ link }) => link.id === entry.link.id);
  return own.length > 0 ? own : reads;
}

/** What the policy says of a tool, or of what stands beside tools. */
export function verdictOn(
  policy: PolicyGate,
  tools: ToolIndex,
  principal: Principal | undefined,
  entry: ToolEntry,
): PolicyVerdict {
  const verdicts = toolsBehind(entry, tools).map((each) => policy.decide(principal, each));
  return verdicts.find(({ decision }) => decision.allowed) ?? verdicts[0] ?? NO_TOOL;
}

/** Session, grant, side effect and trust, as the policy has them at the time of the call. */
export function requireGrant(policy: PolicyGate, tools: ToolIndex): Stage {
  return async (call, next) => {
    const verdict = verdictOn(policy, tools, call.principal, entryOf(call));
    call.exchange.note({ policy: verdict });
    const { allowed, reason } = verdict.decision;
    return allowed || reason === "allowed" ? await next(call) : { kind: "unknown", reason };
  };
}
