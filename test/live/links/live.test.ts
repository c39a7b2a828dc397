import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { bootServer, callTool, connectClient, workspace } from "../../harness/emitted.ts";
import { catalog } from "../../harness/in-process.ts";
import { environmentPrefix } from "../../../generator/model/naming.ts";
import { liveVersion } from "../server.ts";
import { ROWS } from "./servers.ts";
import type { Running } from "./servers.ts";
import { LINK_TABLE } from "./table.ts";

/** Tools of the live FastAPI service that answer badly on purpose; its own suite shows how that ends. */
const UNWELL = /^fastapi_(flood|get_broken|get_echo|get_file|get_slow|go_away)/;

/** The variables of a link that are not secret, as the emitted ConfigMap gives them to the pods. */
function settingsIn(folder: string, prefix: string): Readonly<Record<string, string>> {
  const { data } = parse(readFileSync(`${folder}/k8s/configmap.yaml`, "utf8")) as {
    data: Record<string, string>;
  };
  // The agent is another pod; here it stays in the server's own process.
  return Object.fromEntries(
    Object.entries(data).filter(([name]) => name.startsWith(`${prefix}_`) && name !== "MCP_AGENT_URL"),
  );
}

it("every row of the link table is here", () => {
  expect(Object.keys(ROWS)).toEqual(Object.keys(LINK_TABLE));
});

const titled = Object.entries(LINK_TABLE).map(
  ([name, row]) => [ROWS[name]?.isFake === true ? `${name}, a fake` : name, name, row] as const,
);

describe.each(titled)("mcp -> %s", (_, name, { reads, writes }) => {
  const row = ROWS[name]!;
  if (liveVersion(row.server, row.variables) === undefined) {
    const missing = `${row.server} is not installed here`;
    it(`is not shown: ${missing}`, ({ skip }) => {
      if (process.env["REQUIRE_LIVE"] === "1") expect.fail(missing);
      skip(missing);
    });
    return;
  }
  const work = workspace();
  const prefix = environmentPrefix({ name }, catalog.types.get(name)!);
  let running: Running;
  let environment: Readonly<Record<string, string>>;

  beforeAll(async () => {
    running = await row.start();
    for (const [path, text] of Object.entries(running.documents ?? {}))
      writeFileSync(work.path("stacks", path), text);
    for (const word of ["read", "write"] as const)
      work.draw(word, running.stack(word).replace("stack: stack\n", `stack: ${word}\n`));
    work.generate();
    environment = await running.environment(work.path("out/write"));
  });
  afterAll(async () => {
    await running?.stop();
    work.remove();
  });

  /** Boots what was emitted for a word, with the flag when there is one, and lets it be asked over HTTP. */
  async function serving(
    word: "read" | "write",
    flagged: boolean,
    act: (client: Awaited<ReturnType<typeof connectClient>>, names: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const flags = writes.length === 0 ? {} : { [`${prefix}_WRITE_ACCESS`]: String(flagged) };
    const folder = work.path("out", word);
    const server = await bootServer(folder, { ...settingsIn(folder, prefix), ...environment, ...flags });
    try {
      const client = await connectClient(server);
      const { tools } = await client.listTools();
      // The agent is asked about a component that is drawn too.
      const listed = tools
        .map((tool) => tool.name)
        .filter((tool) => name !== "stack_agent" || !tool.startsWith("cnpg_"));
      await act(client, listed.sort());
      await client.close();
      for (const [variable, value] of Object.entries(environment))
        if (/PASSWORD|TOKEN|KEY$/.test(variable)) expect(server.stderr()).not.toContain(value);
    } finally {
      await server.stop();
    }
  }

  it("S32: lists exactly the tools of its row, and each answers with data of its server", async () => {
    await serving("write", true, async (client, names) => {
      expect(names).toEqual([...reads, ...writes].sort());
      const [tool, args] = running.ready ?? [];
      if (tool !== undefined) {
        await vi.waitFor(
          async () => {
            const { content } = await callTool(client, tool, args);
            expect(content["page"]).not.toMatchObject({ returned: 0 });
            expect(content["code"]).toBeUndefined();
          },
          { timeout: 30_000, interval: 500 },
        );
      }
      expect(Object.keys(running.calls).sort()).toEqual(names.filter((each) => !UNWELL.test(each)));
      const { tools } = await client.listTools();
      for (const [called, given] of Object.entries(running.calls)) {
        const { isError, content } = await callTool(client, called, given);
        if (called === running.denied) {
          expect(content, called).toMatchObject({ code: "denied" });
          continue;
        }
        expect(isError, `${called}: ${JSON.stringify(content)}`).toBe(false);
        expect(content, called).toMatchObject({ tool: called });
        // A write may have nothing to say.
        if (reads.includes(called)) expect(content["data"], called).toEqual(expect.anything());
        const isList = "cursor" in (tools.find((each) => each.name === called)?.inputSchema.properties ?? {});
        if (isList)
          expect(content["page"], called).toEqual({
            returned: expect.any(Number),
            total: expect.toSatisfy((total) => total === null || typeof total === "number"),
            next_cursor: expect.toSatisfy((next) => next === null || typeof next === "string"),
          });
      }
    });
  });

  it.runIf(writes.length > 0)(
    "S10: without the flag, and drawn for reading, no write tool is there",
    async () => {
      for (const word of ["write", "read"] as const)
        await serving(word, false, async (client, names) => {
          expect(names, word).toEqual([...reads].sort());
          const [write = ""] = writes;
          await expect(client.callTool({ name: write, arguments: running.calls[write] })).rejects.toThrow(
            `Unknown tool: ${write}`,
          );
        });
    },
  );
});
