import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "../../../templates/kubernetes/live.ts";

type Json = Readonly<Record<string, unknown>>;

const LOCAL = "#/definitions/";

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The schema that refuses what it does not name, as the API server does when it is asked to be strict. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (!isRecord(schema)) return schema;
  const inner: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === "$ref") inner[key] = String(value).replace("#/components/schemas/", LOCAL);
    else if (key === "properties" && isRecord(value))
      inner[key] = Object.fromEntries(Object.entries(value).map(([name, held]) => [name, strict(held)]));
    // A default or an example is a value, whatever it looks like.
    else inner[key] = key === "default" || key === "enum" ? value : strict(value);
  }
  const isClosed =
    isRecord(schema["properties"]) &&
    schema["additionalProperties"] === undefined &&
    schema["x-kubernetes-preserve-unknown-fields"] !== true;
  if (isClosed) inner["additionalProperties"] = false;
  if (schema["nullable"] === true && typeof schema["type"] === "string")
    inner["type"] = [schema["type"], "null"];
  return inner;
}

interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Where kubeconform finds the schema of a kind below the folder. */
export const SCHEMA_PATH = "{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json";

function fileOf({ group, version, kind }: Kind): string {
  return `${group === "" ? "v1" : group}/${kind.toLowerCase()}_${version}.json`;
}

/** For a custom resource, which the server describes without saying what `metadata` holds. */
function withMetadata(definitions: Json, schema: Json): Json {
  const properties = isRecord(schema["properties"]) ? schema["properties"] : {};
  const known = Object.keys(definitions).find((name) => name.endsWith(".meta.v1.ObjectMeta"));
  if (known === undefined || properties["metadata"] === undefined) return schema;
  return { ...schema, properties: { ...properties, metadata: { $ref: `${LOCAL}${known}` } } };
}

/**
 * The schemas of everything that the server serves, as files for a tool that has no server: those published for
 * Kubernetes releases know no custom resources, and are not everywhere to be had.
 */
export async function writeSchemas(cluster: Cluster, folder: string): Promise<number> {
  const { paths } = (await cluster.ask("GET", "/openapi/v3")) as { paths: Json };
  let written = 0;
  for (const path of Object.keys(paths).filter((each) => /^(api|apis\/[^/]+)\/[^/]+$/.test(each))) {
    const document = await cluster.ask("GET", `/openapi/v3/${path}`);
    const schemas = ((document["components"] ?? {}) as Json)["schemas"] as Json;
    const definitions = strict(schemas ?? {}) as Json;
    for (const schema of Object.values(definitions).filter(isRecord)) {
      const kinds = (schema["x-kubernetes-group-version-kind"] ?? []) as readonly Kind[];
      const own = kinds.find(
        ({ group, version }) => path === (group === "" ? `api/${version}` : `apis/${group}/${version}`),
      );
      if (own === undefined || kinds.length !== 1) continue;
      const file = join(folder, fileOf(own));
      mkdirSync(join(file, ".."), { recursive: true });
      writeFileSync(file, JSON.stringify({ ...withMetadata(definitions, schema), definitions }));
      written += 1;
    }
  }
  return written;
}
