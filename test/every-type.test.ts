import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { catalog } from "./harness/in-process.ts";
import { bootServer, connectClient, workspace } from "./harness/emitted.ts";
import type { Workspace } from "./harness/emitted.ts";

const types = [...catalog.types.values()].filter(
  ({ mcp, builtin }) => mcp === "tools" && builtin === undefined,
);

/** Every type once, under a name of its own, with two things in its scope or with nothing. */
function drawing(stack: string, isDrawn: boolean): string {
  const components = types.map(({ type, tools, podLabels }) => {
    const scope = isDrawn && tools?.scope !== undefined ? [`${tools.scope}: [one, two]`] : [];
    const place = Object.keys(podLabels ?? { any: "pod" }).length > 0 ? [] : ["cidr: 192.0.2.1/32"];
    return `  a_${type}: {${[`type: ${type}`, "namespace: there", ...place, ...scope].join(", ")}}`;
  });
  const links = types.map(({ type }) => {
    const canWrite = catalog.modules.get(type)?.tools.some(({ effect }) => effect !== "read") ?? false;
    return `a_${type}: ${canWrite ? "write" : "read"}`;
  });
  return `apiVersion: topology/v1
stack: ${stack}
components:
${components.join("\n")}
links: {mcp: {${links.join(", ")}}}
`;
}

describe("every type at once", () => {
  let work: Workspace;
  beforeAll(() => {
    work = workspace();
    work.draw("drawn", drawing("drawn", true));
    work.draw("empty", drawing("empty", false));
    work.generate();
  }, 120_000);
  afterAll(() => work.remove());

  /** A closed list of nothing is no `enum`; the server and its lock must write it alike, else it would not start. */
  it.each(["drawn", "empty"])(
    "the server of the stack %s starts, and lists exactly what its lock pins",
    async (stack) => {
      const lock = JSON.parse(
        readFileSync(work.path("out", stack, "server", "surface.lock.json"), "utf8"),
      ) as {
        tools: { name: string; inputSchema: object }[];
        flags: Record<string, boolean>;
      };
      const flags = Object.fromEntries(Object.keys(lock.flags).map((flag) => [flag, "true"]));
      const server = await bootServer(work.path("out", stack), flags);
      try {
        const client = await connectClient(server);
        const { tools } = await client.listTools();
        const shown = tools.map(({ name, inputSchema }) => ({ name, inputSchema }));
        expect(shown.sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
          lock.tools.map(({ name, inputSchema }) => ({ name, inputSchema })),
        );
        await client.close();
      } finally {
        await server.stop();
      }
    },
    120_000,
  );
});
