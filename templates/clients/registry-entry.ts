import type { Topology } from "#hook";

const SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
/** What the format allows a description. */
const LONGEST = 100;
/** What the server says of itself when a client connects. */
const VERSION = "1.0.0";

const HEADERS = [
  {
    name: "Authorization",
    description: "Bearer key of the server",
    isRequired: true,
    isSecret: true,
    value: "Bearer {api_key}",
    variables: {
      api_key: { description: "Key that the operator gave out", isRequired: true, isSecret: true },
    },
  },
];

/** The server as a registry lists it: only what stands behind a gateway can be listed. */
export function registryEntry(topology: Topology, url: string): object {
  const { stack, environment, domain, description, access } = topology;
  const title = environment === null ? stack : `${stack} (${environment})`;
  const name = environment === null ? stack : `${stack}.${environment}`;
  const said = description ?? `MCP server of the stack ${stack}`;
  return {
    $schema: SCHEMA,
    name: `${(domain ?? "local").split(".").reverse().join(".")}/${name}`,
    title,
    description: said.length <= LONGEST ? said : `${said.slice(0, LONGEST - 3).trimEnd()}...`,
    version: VERSION,
    remotes: [
      {
        type: "streamable-http",
        url,
        ...(access.oauth?.takesKeys === false ? {} : { headers: HEADERS }),
      },
    ],
  };
}
