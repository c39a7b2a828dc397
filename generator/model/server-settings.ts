import { isBlock, sortKeys } from "./block.ts";
import type { Block } from "./block.ts";
import type { ServerSettings } from "./topology.ts";
import { labelsOf, textOf, textsOf, wholeOf } from "./values.ts";

function resourcesOf(value: unknown): ServerSettings["resources"] {
  if (!isBlock(value)) return null;
  const blocks = Object.entries(value).filter((entry): entry is [string, Block] => isBlock(entry[1]));
  return sortKeys(Object.fromEntries(blocks.map(([name, block]) => [name, labelsOf(block)])));
}

function choice<const V extends string>(block: Block, key: string, values: readonly [V, ...V[]]): V {
  const written = textOf(block, key);
  return values.find((value) => value === written) ?? values[0];
}

/** Everything under `components.mcp`; the first of each choice is the default. */
export function buildServerSettings(mcp: Block): ServerSettings {
  return {
    framework: choice(mcp, "framework", ["sdk", "fastmcp"]),
    replicas: wholeOf(mcp, "replicas") ?? 1,
    state: textOf(mcp, "state"),
    image: textOf(mcp, "image"),
    resources: resourcesOf(mcp["resources"]),
    recipients: textsOf(mcp, "recipients"),
    gitops: choice(mcp, "gitops", ["none", "flux", "argocd"]),
    delivery: choice(mcp, "delivery", ["kubernetes", "mcp-runtime"]),
    rules: textsOf(mcp, "rules"),
  };
}
