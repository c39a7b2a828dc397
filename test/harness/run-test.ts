/** `run_test` over a drawing, without a server around it: the rules and the topology are what would be emitted. */
import { runTests } from "#runtime/stack-agent/command/run-tests";
import { createTester } from "#runtime/stack-agent/command/tester";
import type { CommandMode } from "#runtime/stack-agent/command/mode";
import type { CommandRules } from "#runtime/stack-agent/command/rules";
import { createEngine } from "#runtime/stack-agent/engine";
import type { TopologyData } from "#runtime/stack-agent/topology-data";
import { settingsOf } from "#runtime/settings";
import type { ToolResult } from "#runtime/tool";
import { linkModule } from "../../generator/emit/link-module.ts";
import type { Generation, LinkModule } from "../../generator/hook/contract.ts";
import { environmentPrefix } from "../../generator/model/naming.ts";
import type { Component, McpLink, Topology } from "../../generator/model/topology.ts";
import commands from "../../hooks/commands.ts";
import topologyMetadata from "../../hooks/topology-metadata.ts";
import { catalog, topologyOf } from "./in-process.ts";

/** A link as the generator would build it for a type that gets its tools later. */
function laterLink(component: Component, topology: Topology): LinkModule {
  const type = catalog.types.get(component.type);
  if (type === undefined) throw new Error(`no type ${component.type}`);
  const link: McpLink = {
    id: `mcp->${component.name}`,
    component,
    access: "read",
    targets: component.subs.map((sub) => ({ sub, access: "read" })),
    narrowed: false,
    drawn: "",
    tools: null,
    limits: {},
    approvers: [],
    credentials: {},
    path: [],
  };
  const module = {
    link,
    environment: environmentPrefix(component, type),
    tools: [],
    family: { prefix: component.type },
  };
  if (topology.links.every(({ to }) => to.component.name !== component.name)) throw new Error("not linked");
  return module as unknown as LinkModule;
}

/** Every link of `mcp`, also to types whose tools are still to come. */
function linksOf(topology: Topology): readonly LinkModule[] {
  const known = new Map(topology.mcpLinks.map((link) => [link.component.name, link]));
  const targets = new Set(
    topology.links.filter(({ from }) => from.component.name === "mcp").map(({ to }) => to.component),
  );
  return [...targets].map((component) => {
    const link = known.get(component.name);
    return link === undefined ? laterLink(component, topology) : linkModule(catalog, topology, link);
  });
}

export interface DrawnData {
  readonly data: TopologyData;
  readonly rules: CommandRules;
}

/** What `topology.json` and `commands.json` would hold. */
export async function drawnData(stack: string): Promise<DrawnData> {
  const topology = await topologyOf(stack);
  const generation: Generation = { ...catalog, links: linksOf(topology) };
  const written = <T>(facts: unknown): T => JSON.parse(JSON.stringify(facts)) as T;
  return {
    data: written(topologyMetadata.derive(topology, {}, generation)),
    rules: written(commands.derive(topology, {}, generation)),
  };
}

export interface RunTest {
  readonly drawn: DrawnData;
  /** Answers as the tool does; everything that it throws comes out. */
  run(body: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<ToolResult>;
}

export interface RunTestOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly mode?: CommandMode;
  /** Folders with the programs; left out, those of the system. */
  readonly folders?: readonly string[];
  readonly approvalForWrites?: boolean;
  readonly mayWrite?: boolean;
}

export function runTestOn(drawn: DrawnData, options: RunTestOptions = {}): RunTest {
  const {
    environment = {},
    mode = "allowlist",
    folders,
    approvalForWrites = false,
    mayWrite = true,
  } = options;
  const engine = createEngine(drawn.data);
  const tester = createTester({
    rules: drawn.rules,
    mode,
    settings: (env) => settingsOf({ env }, environment, () => undefined),
    approvalForWrites,
    ...(folders === undefined ? {} : { folders }),
  });
  return {
    drawn,
    run: async (body, signal = new AbortController().signal) =>
      await runTests({ engine, tester, body, pages: false, mayWrite, signal }),
  };
}
