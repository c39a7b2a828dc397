import type { ToolResult } from "#runtime/tool";
import type { AvailableFields } from "./available-fields.ts";
import type { StackDna } from "./dna.ts";
import type { Answer } from "./engine.ts";
import type { EnvironmentProfile } from "./profile.ts";
import type { StackStructure } from "./structure.ts";
import type { StackSummary } from "./summary.ts";

export interface Page {
  readonly limit?: number;
  readonly cursor?: string;
}

/** How a test is run; see `TestCall`. */
export interface TestManner {
  readonly pages: boolean;
  readonly mayWrite: boolean;
}

/** Who answers the topology tools: the engine in this process, or the agent as a service of its own. */
export interface StackAgent {
  /** See `Engine.query`. */
  query(body: object, signal: AbortSignal): Promise<Answer>;
  /** See `runTests`. */
  test(body: object, manner: TestManner, signal: AbortSignal): Promise<ToolResult>;
  structure(page: Page, signal: AbortSignal): Promise<StackStructure>;
  fields(component: string, signal: AbortSignal): Promise<AvailableFields>;
  profile(category: string | undefined, signal: AbortSignal): Promise<EnvironmentProfile>;
  summary(signal: AbortSignal): Promise<StackSummary>;
  dna(signal: AbortSignal): Promise<StackDna>;
}
