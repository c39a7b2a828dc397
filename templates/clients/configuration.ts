/** The same two servers, once over HTTP and once as a process of the workstation, in each client's own words. */
import type { Credential } from "#hook";

/** What every client has to know; no value of a credential is among it. */
export interface Server {
  /** `shop`; an environment's server stands beside the base as `shop-prod`. */
  readonly name: string;
  /** The output, from the root of the repository that it is committed to. */
  readonly folder: string;
  /** What variables of a workstation start with, so that the servers of two stacks never share one: `SHOP`. */
  readonly variables: string;
  readonly url: string;
  /** False where only tokens let anybody in, which clients get by themselves. */
  readonly takesKeys: boolean;
  readonly settings: readonly { readonly name: string; readonly value: string }[];
  readonly credentials: readonly Credential[];
}

type Entry = Readonly<Record<string, unknown>>;
type Variables = Readonly<Record<string, string>>;

/** How a client is told to take a value from its own environment, or to ask for it. */
type Reference = (name: string) => string;

const KEY = "MCP_API_KEY";

/** A variable of the workstation: that of the server, under the name of the stack. */
const own = ({ variables }: Server, name: string): string => `${variables}_${name}`;

const TEAM = "MCP_STDIO_TEAM_ID";

/** Who calls, for grants and the audit: over stdio there is no key that could tell. */
function caller(agent: string, user: string, team: string): Variables {
  return { MCP_STDIO_AGENT_ID: agent, MCP_STDIO_HUMAN_ID: user, [TEAM]: team };
}

function settingsOf({ settings }: Server): Variables {
  return Object.fromEntries(settings.map(({ name, value }) => [name, value]));
}

/** Write flags are not among them: a server of a workstation reads. */
function credentialsOf({ credentials }: Server, reference: Reference): Variables {
  return Object.fromEntries(credentials.map(({ name }) => [name, reference(name)]));
}

/** How the server is asked: with the key, or with whatever the client makes of the refusal. */
function remote({ url, takesKeys }: Server, reference: Reference): Entry {
  return { url, ...(takesKeys ? { headers: { Authorization: `Bearer ${reference(KEY)}` } } : {}) };
}

/**
 * `.mcp.json` of Claude Code. Every reference has a default, because one that is not set would arrive as the
 * text it is written with, or keep the whole file from being read.
 */
export function claudeCode(server: Server): object {
  const reference: Reference = (name) => `\${${own(server, name)}:-}`;
  const settings = server.settings.map(({ name, value }) => [name, `\${${own(server, name)}:-${value}}`]);
  const folder = `\${${own(server, "MCP_FOLDER")}:-${server.folder}}`;
  return {
    mcpServers: {
      [server.name]: { type: "http", ...remote(server, reference) },
      [`${server.name}-local`]: {
        type: "stdio",
        command: "node",
        args: [`${folder}/server/start.mjs`, "--stdio"],
        env: {
          ...Object.fromEntries(settings),
          ...credentialsOf(server, reference),
          ...caller("claude-code", "${USER:-}", reference(TEAM)),
        },
      },
    },
  };
}

/** `.cursor/mcp.json`; what is optional is left out, since nothing says what a reference that is not set becomes. */
export function cursor(server: Server): object {
  const needed = { ...server, credentials: server.credentials.filter(({ optional }) => !optional) };
  const reference: Reference = (name) => `\${env:${own(server, name)}}`;
  return {
    mcpServers: {
      [server.name]: remote(server, reference),
      [`${server.name}-local`]: {
        type: "stdio",
        command: "node",
        args: [`\${workspaceFolder}/${server.folder}/server/start.mjs`, "--stdio"],
        env: {
          ...settingsOf(server),
          ...credentialsOf(needed, reference),
          ...caller("cursor", "${env:USER}", reference(TEAM)),
        },
      },
    },
  };
}

const inputId = (server: Server, name: string): string =>
  own(server, name).toLowerCase().replaceAll("_", "-");

/** `.vscode/mcp.json`: asks for what must be there and keeps it in its own secret storage. */
export function vscode(server: Server): object {
  const asked = [
    ...(server.takesKeys ? [{ name: KEY, doc: "Bearer key of the server." }] : []),
    ...server.credentials.filter(({ optional }) => !optional),
  ];
  const isAsked = new Set(asked.map(({ name }) => name));
  const reference: Reference = (name) =>
    isAsked.has(name) ? `\${input:${inputId(server, name)}}` : `\${env:${own(server, name)}}`;
  return {
    inputs: asked.map(({ name, doc }) => ({
      type: "promptString",
      id: inputId(server, name),
      description: `${server.name}: ${doc}`,
      password: true,
    })),
    servers: {
      [server.name]: { type: "http", ...remote(server, reference) },
      [`${server.name}-local`]: {
        type: "stdio",
        command: "node",
        args: ["start.mjs", "--stdio"],
        cwd: `\${workspaceFolder}/${server.folder}/server`,
        env: {
          ...settingsOf(server),
          ...credentialsOf(server, reference),
          ...caller("vscode", "${env:USER}", reference(TEAM)),
        },
      },
    },
  };
}

/**
 * `claude_desktop_config.json`, which knows processes only and expands nothing: paths are absolute, and what is
 * secret is read by Node from a file that is not in the repository.
 */
export function claudeDesktop(server: Server): object {
  return {
    mcpServers: {
      [`${server.name}-local`]: {
        command: "node",
        args: [
          `--env-file=/absolute/path/to/${server.name}.env`,
          `/absolute/path/to/${server.folder}/server/start.mjs`,
          "--stdio",
        ],
        env: { ...settingsOf(server), MCP_STDIO_AGENT_ID: "claude-desktop" },
      },
    },
  };
}
