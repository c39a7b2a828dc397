import type { Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";
import type { StackAgent } from "./agent.ts";
import { embeddedAgent } from "./embedded.ts";
import type { AgentFiles } from "./embedded.ts";
import { remoteAgent } from "./remote.ts";

/**
 * With `MCP_AGENT_URL` the service there is asked, with `MCP_AGENT_TOKEN`; without it an engine over the files,
 * which are read at the first question.
 */
export function openAgent(link: LinkFacts, settings: Settings, files: AgentFiles): StackAgent {
  return settings.text("URL", "") === ""
    ? embeddedAgent(files, settings, link.env)
    : remoteAgent(link, settings);
}
