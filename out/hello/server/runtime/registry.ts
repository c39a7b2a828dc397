import type { HeadRegistry } from "#runtime/audit/heads";
import type { ProposalStore } from "#runtime/approval/store";
import type { RateStore } from "#runtime/policy/rate-limits";
import type { OpenRules } from "#runtime/rules";
import type { Environment } from "#runtime/settings";
import type { OpenTokens } from "#runtime/identity/tokens";
import type { AnyToolModule } from "#runtime/tool";

/** How far the drawing lets a call go: `propose` needs a person's approval for every call. */
export type Access = "read" | "propose" | "write";

/**
 * What the drawing permits for one tool. Generated as code, so that no configuration can widen it: flags,
 * policy and grants are intersected with it.
 */
export interface AllowedTool {
  readonly link: string;
  readonly access: Access;
  /** The variable that must be true for a write tool; `null` for a read tool. */
  readonly flag: string | null;
  /** For a write tool whose targets were drawn with different words: the access of each argument value. */
  readonly target?: { readonly parameter: string; readonly access: Readonly<Record<string, Access>> };
  /** As drawn, for example `10/min`. */
  readonly limits?: { readonly perTool?: string; readonly perSession?: string };
  readonly approvers?: readonly string[];
  /** How long a proposal waits, as drawn: `15m`. */
  readonly ttl?: string;
}

/** What replicas share. */
export interface SharedState {
  readonly rates: RateStore;
  readonly proposals: ProposalStore;
  /** How far the audit chain of each replica has come. */
  readonly heads: HeadRegistry;
  /** The same for all, and known to nobody else. */
  readonly sealingKey: () => Promise<Buffer>;
  /** Whether it answers; never rejects. */
  readonly answers: () => Promise<boolean>;
}
/** `scope` names the stack and its environment; `onSecret` learns the password before it is used. */
export type OpenState = (
  environment: Environment,
  scope: string,
  onSecret: (value: string) => void,
) => SharedState;

/** The whole of one emitted server: `server/registry.ts` is an instance of this. */
export interface Registry {
  readonly stack: string;
  /** `null` for the base; else the declared environment this tree was generated for. */
  readonly environment: string | null;
  readonly modules: readonly AnyToolModule[];
  readonly allowList: Readonly<Record<string, AllowedTool>>;
  /** Every write flag of the linked services, and whether the drawing lets it be true. */
  readonly flags: Readonly<Record<string, boolean>>;
  /** Missing when no rules are drawn. */
  readonly rules?: OpenRules;
  /** Missing when limits and proposals are this process's own. */
  readonly state?: OpenState;
  /** Missing when nobody comes with a token. */
  readonly tokens?: OpenTokens;
  /** Variables that links cannot work without, each with its link. */
  readonly credentials: Readonly<Record<string, string>>;
}
