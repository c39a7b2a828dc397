import { defineOutput } from "#hook";
import type { LinkModule, Topology } from "#hook";
import { derivedTools } from "./listing.ts";

function view({ link, environment, tools, nameOf }: LinkModule, topology: Topology): object {
  const kept = new Set(tools.map(({ name }) => name));
  const rows = derivedTools(link, topology, () => undefined)
    .filter(({ shown }) => kept.has(nameOf(shown.name)))
    .map(({ shown, row }) => ({
      upstream: row["upstream"],
      does: shown.effect === "read" ? "reads" : "writes",
      pin: row["pin"],
    }));
  return { component: link.component.name, token: `${environment}_TOKEN`, rows, hasRows: rows.length > 0 };
}

/** What the other server should let this link's token do: it has no account of a kind that is known here. */
export default defineOutput({
  name: "external-mcp-server",
  files: (topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "external-mcp-server")
      .map((module) => ({
        kind: "rendered" as const,
        path: `principals/${module.link.component.name}/README.md`,
        from: "templates/external-mcp-server/principal-readme.md.hbs",
        view: view(module, topology),
      })),
});
