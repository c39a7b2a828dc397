import { hkdfSync } from "node:crypto";
import {
  CLIENT_CAPABILITIES_META_KEY,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
} from "@modelcontextprotocol/server";
import type { InputRequiredResult, RequestStateCodec, ServerContext } from "@modelcontextprotocol/server";
import { ToolFault } from "#runtime/fault";
import type { AwaitedProposal, WaitingProposal } from "#runtime/call/waiting";
import type { Caller } from "#runtime/protocol/mcp-service";

const WAIT = "wait";
const TTL_SECONDS = 15 * 60;
const LONGEST_PREVIEW = 2_000;
const STEPS: Readonly<Partial<Record<WaitingProposal["state"], string>>> = {
  approved: "is approved and waits to be executed",
  executing: "is being executed",
};

/** Calls that wait for a person, over several requests of revision 2026-07-28. */
export interface Rounds {
  /**
   * For the library, which asks it before a handler sees the state. `undefined` while nobody can be asked for the key:
   * the handler then sees the state as it came.
   */
  verify(state: string, context: ServerContext): Promise<AwaitedProposal | undefined>;
  /** The answer of a call that waits; `undefined` where the client cannot ask anybody, is not to ask again, or without a key. */
  next(waits: WaitingProposal, context: ServerContext): Promise<InputRequiredResult | undefined>;
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

/** Only a request of revision 2026-07-28 says what its client can do; an elicitation without a mode is a form. */
function canAsk({ mcpReq }: ServerContext): boolean {
  const elicitation = memberOf(memberOf(mcpReq.envelope, CLIENT_CAPABILITIES_META_KEY), "elicitation");
  if (typeof elicitation !== "object" || elicitation === null) return false;
  return Object.keys(elicitation).length === 0 || memberOf(elicitation, "form") !== undefined;
}

/** Says what waits, and that whoever reads it here is not asked to approve: this client cannot prove who answers. */
function messageOf({ proposal_id, provider, tool, expires_at, preview, state }: WaitingProposal): string {
  const shown = JSON.stringify(preview);
  const cut = shown.length > LONGEST_PREVIEW ? `${shown.slice(0, LONGEST_PREVIEW).toWellFormed()}...` : shown;
  const step = STEPS[state] ?? "waits for approval";
  return (
    `${tool} on ${provider} ${step} as proposal ${proposal_id}, until ${expires_at}. ` +
    "An approver decides with a key of their own, and not here. Go on to look again once that has happened; " +
    `decline to stop waiting, which withdraws nothing. What was proposed: ${cut}`
  );
}

/** `key` is the secret of whoever may answer a later round; it is asked for where a round needs it. */
export function createRounds(
  key: () => Promise<Uint8Array>,
  callerOf: (id: string | number) => Caller,
): Rounds {
  const codec = async (): Promise<RequestStateCodec<AwaitedProposal> | undefined> => {
    const known = await key().catch((problem: unknown) => {
      if (problem instanceof ToolFault) return undefined;
      throw problem;
    });
    if (known === undefined) return undefined;
    return createRequestStateCodec({
      // Not the key itself, with which other things are sealed too.
      key: new Uint8Array(hkdfSync("sha256", known, "", "mcp request state v1", 32)),
      ttlSeconds: TTL_SECONDS,
      bind: ({ mcpReq }) => `${mcpReq.method}\0${callerOf(mcpReq.id).exchange.facts().principal?.id ?? ""}`,
    });
  };
  return {
    verify: async (state, context) => {
      const { exchange } = callerOf(context.mcpReq.id);
      const opened = await codec();
      if (opened === undefined) {
        exchange.note({ decision: "deny", reason: "upstream_unavailable", ok: false });
        return undefined;
      }
      try {
        return await opened.verify(state, context);
      } catch (cause) {
        exchange.note({ decision: "deny", reason: "protocol_error", ok: false });
        throw cause;
      }
    },
    next: async (waits, context) => {
      const { mcpReq } = context;
      const isFirst = mcpReq.requestState() === undefined;
      const answer = inputResponse(mcpReq.inputResponses, WAIT);
      const goesOn = isFirst || (answer.kind === "elicit" && answer.action === "accept");
      const opened = canAsk(context) && goesOn ? await codec() : undefined;
      if (opened === undefined) return undefined;
      const { proposal_id, tool, argsSha } = waits;
      return inputRequired({
        inputRequests: {
          [WAIT]: inputRequired.elicit({
            message: messageOf(waits),
            requestedSchema: { type: "object", properties: {} },
          }),
        },
        requestState: await opened.mint({ proposal_id, tool, argsSha }, context),
      });
    },
  };
}
