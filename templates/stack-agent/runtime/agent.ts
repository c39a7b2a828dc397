import type { Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";
import type { AvailableFields } from "./available-fields.ts";
import type { StackDna } from "./dna.ts";
import { embeddedAgent } from "./embedded.ts";
import type { Answer } from "./engine.ts";
import type { EnvironmentProfile } from "./profile.ts";
import { remoteAgent } from "./remote.ts";
import type { StackStructure } from "./structure.ts";
import type { StackSummary } from "./summary.ts";

export interface Page {
  readonly limit?: number;
  readonly cursor?: string;
}

/** Who answers the topology tools: the engine in this process, or the agent as a service of its own. */
export interface StackAgent {
  /** See `Engine.query`. */
  query(body: object, signal: AbortSignal): Promise<Answer>;
  structure(page: Page, signal: AbortSignal): Promise<StackStructure>;
  fields(component: string, signal: AbortSignal): Promise<AvailableFields>;
  profile(category: string | undefined, signal: AbortSignal): Promise<EnvironmentProfile>;
  summary(signal: AbortSignal): Promise<StackSummary>;
  dna(signal: AbortSignal): Promise<StackDna>;
}

/**
 * With `MCP_AGENT_URL` the service there is asked, with `MCP_AGENT_TOKEN`; without it the drawing in `file`,
 * which is read at the first question.
 */
export function openAgent(link: LinkFacts, settings: Settings, file: URL): StackAgent {
  return settings.text("URL", "") === "" ? embeddedAgent(file) : remoteAgent(link, settings);
}
