import { defineOutput, factsOf } from "#hook";
import type { FileSpec, Generation, Topology } from "#hook";
import type credentialsHook from "../../hooks/credentials.ts";
import type serverAddressHook from "../../hooks/server-address.ts";
import { claudeCode, claudeDesktop, cursor, vscode } from "./configuration.ts";
import type { Server } from "./configuration.ts";
import { registryEntry } from "./registry-entry.ts";

const HERE = "templates/clients";

type Address = ReturnType<(typeof serverAddressHook)["derive"]>;
type Credentials = ReturnType<(typeof credentialsHook)["derive"]>;

/** What stands in the process itself on a workstation, such as the stack agent, needs no address there. */
function reachedLinks({ links }: Generation): Generation["links"] {
  return links.filter(({ link }) => !link.component.builtin);
}

function serverOf(
  { stack, environment, access }: Topology,
  generation: Generation,
  address: Address,
  credentials: Credentials,
): Server {
  const links = reachedLinks(generation);
  const reached = new Set(links.map(({ link }) => link.id));
  const name = environment === null ? stack : `${stack}-${environment}`;
  return {
    name,
    folder: environment === null ? `out/${stack}` : `out/${stack}.${environment}`,
    variables: name.replaceAll("-", "_").toUpperCase(),
    url: address.url ?? "http://localhost:8080/mcp",
    takesKeys: access.oauth?.takesKeys ?? true,
    settings: links.flatMap(({ family, environment: prefix, link }) =>
      family.settings(link).map((setting) => ({ ...setting, name: `${prefix}_${setting.name}` })),
    ),
    credentials: credentials.links
      .filter(({ link }) => reached.has(link))
      .flatMap((link) => link.credentials),
  };
}

function readmeView({ access, source }: Topology, server: Server, address: Address): object {
  return {
    ...server,
    source,
    local: `${server.name}-local`,
    issuer: access.oauth?.issuer ?? "",
    isRouted: address.url !== null,
    forward: `kubectl -n ${address.namespace} port-forward deployment/${address.service} 8080:8080`,
    fill: [
      `sed -e "s#/absolute/path/to/${server.folder}#$PWD/${server.folder}#"`,
      `-e "s#/absolute/path/to/${server.name}.env#$HOME/${server.name}.env#"`,
      `${server.folder}/clients/claude_desktop_config.json`,
    ].join(" "),
    key: `${server.variables}_MCP_API_KEY`,
    team: `${server.variables}_MCP_STDIO_TEAM_ID`,
    file: `~/${server.name}.env`,
    place: `${server.variables}_MCP_FOLDER`,
    needed: server.credentials
      .filter(({ optional }) => !optional)
      .map(({ name, doc }) => ({ name, own: `${server.variables}_${name}`, doc })),
    hasNeeded: server.credentials.some(({ optional }) => !optional),
    hasSettings: server.settings.length > 0,
  };
}

/** The server in the words of each client, and how the files are used. */
export default defineOutput({
  name: "clients",
  files: (topology, facts, generation) => {
    const address = factsOf<typeof serverAddressHook>(facts, "server-address");
    const credentials = factsOf<typeof credentialsHook>(facts, "credentials");
    const server = serverOf(topology, generation, address, credentials);
    const data = (file: string, json: object): FileSpec => ({
      kind: "data",
      path: `clients/${file}`,
      from: `${HERE}/output.ts`,
      json,
      layout: "pretty",
    });
    return [
      {
        kind: "rendered",
        path: "clients/README.md",
        from: `${HERE}/readme.md.hbs`,
        view: readmeView(topology, server, address),
      },
      data(".mcp.json", claudeCode(server)),
      data("cursor.json", cursor(server)),
      data("vscode.json", vscode(server)),
      data("claude_desktop_config.json", claudeDesktop(server)),
      ...(address.url === null ? [] : [data("server.json", registryEntry(topology, address.url))]),
    ];
  },
});
