import { hash } from "node:crypto";
import { canonicalJson } from "#runtime/json/canonical";

function sha256(text: string): string {
  return hash("sha256", text, "hex");
}

/** Tells values apart without giving them away. */
export function shortDigest(text: string): string {
  return sha256(text).slice(0, 16);
}

/** Identifies what was asked of which tool without holding it; approvals and audit rows share it. */
export function argumentsDigest(component: string, tool: string, args: unknown): string {
  return sha256(`mcp-args\0v1\0${component}\0${tool}\0${canonicalJson(args)}`);
}

/** Everything that a model reads about a tool. */
export interface Pinned {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: unknown;
  readonly outputSchema: unknown;
  readonly annotations: unknown;
}

/** Changes exactly when a model would see a change. */
export function toolDigest(tool: Pinned): string {
  const { name, title, description, inputSchema, outputSchema, annotations } = tool;
  const seen = { name, title, description, inputSchema, outputSchema, annotations };
  return `sha256:${sha256(`mcp_tool\0 1\0${canonicalJson(seen)}`)}`;
}

/** Changes exactly when a client would see another resource, or when its generated text changed. */
export function resourceDigest(
  resource: Readonly<Record<"uri" | "name" | "title" | "description" | "mimeType", string>>,
  text: string | null,
): string {
  const { uri, name, title, description, mimeType } = resource;
  const seen = { uri, name, title, description, mimeType, text };
  return `sha256:${sha256(`mcp_resource\0 1\0${canonicalJson(seen)}`)}`;
}

/** Changes exactly when a model would read another playbook. */
export function promptDigest(
  prompt: Readonly<Record<"name" | "title" | "description", string>> & { readonly arguments: unknown },
  text: string,
): string {
  const { name, title, description } = prompt;
  const seen = { name, title, description, arguments: prompt.arguments, text };
  return `sha256:${sha256(`mcp_prompt\0 1\0${canonicalJson(seen)}`)}`;
}
