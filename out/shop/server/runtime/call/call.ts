import type { AwaitedProposal, WaitingProposal } from "#runtime/call/waiting";
import type { Envelope, Fault } from "#runtime/call/envelope";
import type { Exchange } from "#runtime/call/exchange";
import type { Marker } from "#runtime/marker";
import type { Principal } from "#runtime/identity/identity";
import type { HiddenReason } from "#runtime/reason";
import type { ToolEntry } from "#runtime/surface/tool-index";

export type Arguments = Readonly<Record<string, unknown>>;

/** One `tools/call` on its way through the stages. */
export interface Call {
  readonly exchange: Exchange;
  readonly principal: Principal | undefined;
  /** As asked; names nothing when `entry` is missing. */
  readonly name: string;
  /** Missing when the emitted code holds no such tool. */
  readonly entry: ToolEntry | undefined;
  /** As sent until they are validated, complete with defaults afterwards. */
  readonly args: Arguments;
  /** The rule that wants this call approved, whatever its link was drawn with. */
  readonly mustApprove?: string;
  /** Aborts when the client cancels or disconnects, or the server stops. */
  readonly signal: AbortSignal;
  /** Not to be executed whatever the drawing says, or approved by a person; only the approval routes set it. */
  readonly intent?: "propose" | "execute";
  /** Of the approval; only an execution has one. */
  readonly marker?: Marker;
  /** The proposal that an earlier round of the same call made. */
  readonly awaits?: AwaitedProposal;
}

/** What the caller is told. `unknown` gives away neither that a tool exists nor why it is out of reach. */
export type Outcome =
  | {
      readonly kind: "result";
      readonly envelope: Envelope;
      /** Of the envelope, from the stage on that has made it. */
      readonly json?: string;
    }
  | {
      readonly kind: "fault";
      readonly fault: Fault;
      /** Whether a rule refused the call, or the call failed. */
      readonly decision: "allow" | "deny";
      /** Pending while a handler that ignored its signal is still at work. */
      readonly stillRunning?: Promise<unknown>;
      /** What the call became, if a person is to decide about it. */
      readonly waits?: WaitingProposal;
    }
  | { readonly kind: "unknown"; readonly reason: HiddenReason };

export type Next = (call: Call) => Promise<Outcome>;
/** One step: answers by itself, or lets the call pass to `next` and may change what comes back. */
export type Stage = (call: Call, next: Next) => Promise<Outcome>;

export function refuse(fault: Fault): Outcome {
  return { kind: "fault", fault, decision: "deny" };
}

export function fail(fault: Fault, stillRunning?: Promise<unknown>): Outcome {
  return { kind: "fault", fault, decision: "allow", ...(stillRunning === undefined ? {} : { stillRunning }) };
}

/** The tool of a call that passed the allow-list; a stage that stands before it has no business asking. */
export function entryOf(call: Call): ToolEntry {
  if (call.entry === undefined) throw new Error("a stage that needs the tool stands before the allow-list");
  return call.entry;
}
