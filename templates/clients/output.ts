import { defineOutput, factsOf } from "#hook";
import type { FileSpec } from "#hook";
import type credentialsHook from "../../hooks/credentials.ts";
import type serverAddressHook from "../../hooks/server-address.ts";
import { claudeCode, claudeDesktop, cursor, vscode } from "./configuration.ts";
import type { Server } from "./configuration.ts";
import { registryEntry } from "./registry-entry.ts";

const HERE = "templates/clients";

export default defineOutput({
  name: "clients",
  files: (topology, facts, { links }) => {
    const { stack, environment } = topology;
    const address = factsOf<typeof serverAddressHook>(facts, "server-address");
    const credentials = factsOf<typeof credentialsHook>(facts, "credentials");
    const name = environment === null ? stack : `${stack}-${environment}`;
    const server: Server = {
      name,
      folder: environment === null ? `out/${stack}` : `out/${stack}.${environment}`,
      variables: name.replaceAll("-", "_").toUpperCase(),
      url: address.url ?? "http://localhost:8080/mcp",
      settings: links.flatMap(({ family, environment: prefix, link }) =>
        family.settings(link).map((setting) => ({ ...setting, name: `${prefix}_${setting.name}` })),
      ),
      credentials: credentials.links.flatMap((link) => link.credentials),
    };
    const data = (file: string, json: object): FileSpec => ({
      kind: "data",
      path: `clients/${file}`,
      from: `${HERE}/output.ts`,
      json,
      layout: "pretty",
    });
    return [
      data(".mcp.json", claudeCode(server)),
      data("cursor.json", cursor(server)),
      data("vscode.json", vscode(server)),
      data("claude_desktop_config.json", claudeDesktop(server)),
      ...(address.url === null ? [] : [data("server.json", registryEntry(topology, address.url))]),
    ];
  },
});
