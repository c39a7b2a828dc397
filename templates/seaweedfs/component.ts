import { choice, consumersOf, defineComponent, flag, httpCommands, text, variablePart } from "#contract";
import type { McpLink, Topology } from "#contract";
import type * as module from "./tools.ts";

type Bucket = (typeof module.buckets)[number];
type Target = McpLink["targets"][number];

/** What can stand in a policy as it is: no wildcard, no variable, no quote. */
const PREFIX = "^[^\\s*?$\"'\\\\<>&\\u0000-\\u001f]{0,512}$";

const attribute = ({ sub }: Target, name: string): string => String(sub.attributes[name] ?? "");

/** The id of the key that reads a bucket. */
function readerOf({ component }: McpLink, bucket: string): string {
  return `mcp-${component.name}-${bucket}`;
}

function bucketsOf(link: McpLink, topology: Topology, isIssued: boolean): readonly Bucket[] {
  return link.targets.map((target) => ({
    name: target.sub.name,
    bucket: attribute(target, "bucket") || target.sub.name,
    prefix: attribute(target, "prefix"),
    env: variablePart(target.sub.name),
    account: isIssued ? "" : readerOf(link, target.sub.name),
    public: target.sub.attributes["public"] === true,
    used_by: consumersOf(topology, link.component.name, target.sub),
  }));
}

function writablePrefix(target: Target): string {
  return `${attribute(target, "prefix")}${attribute(target, "write_prefix")}`;
}

function writableOf(link: McpLink): readonly { readonly name: string; readonly prefix: string }[] {
  return link.targets
    .filter(({ access }) => access !== "read")
    .map((target) => ({ name: target.sub.name, prefix: writablePrefix(target) }));
}

/** One of the link's own accounts: each bucket has one that reads, and one that writes where that was drawn. */
export interface Account {
  /** The id of its access key, which is also its name. */
  readonly id: string;
  /** Of its variables: `INVOICES` or `INVOICES_WRITER`. */
  readonly part: string;
  readonly name: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly writes: boolean;
}

/** A link whose write tools were all left out needs no account that writes. */
export function accountsOf(link: McpLink): readonly Account[] {
  return link.targets.flatMap((target) => {
    const { name } = target.sub;
    const reader: Account = {
      id: readerOf(link, name),
      part: variablePart(name),
      name,
      bucket: attribute(target, "bucket") || name,
      prefix: attribute(target, "prefix"),
      writes: false,
    };
    if (target.access === "read" || link.tools?.length === 0) return [reader];
    const writer = {
      id: `${reader.id}-writer`,
      part: `${reader.part}_WRITER`,
      prefix: writablePrefix(target),
    };
    return [reader, { ...reader, ...writer, writes: true }];
  });
}

function urlOf({ component }: McpLink): string {
  const { host, port, attributes } = component;
  return `${String(attributes["scheme"])}://${host ?? ""}:${port ?? 443}`;
}

const keys = {
  access_key: { doc: "Id of an access key." },
  secret_key: { doc: "Secret of that access key." },
};

const shape = (scheme: "http" | "https") =>
  ({
    group: "storage",
    attributes: {
      scheme: choice({ doc: "How the store is reached.", values: ["http", "https"], default: scheme }),
      region: text({
        doc: "Region that requests are signed for.",
        pattern: "^[a-z0-9-]{1,32}$",
        default: "us-east-1",
      }),
    },
    secrets: keys,
    subComponents: {
      buckets: {
        kind: "bucket",
        doc: "Buckets of the store.",
        attributes: {
          bucket: text({
            doc: "Name in the store, when it is not the key.",
            pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
            default: "{name}",
          }),
          public: flag({ doc: "Anybody may read it.", default: false }),
          prefix: text({ doc: "Only objects whose key starts with this.", pattern: PREFIX }),
          write_prefix: text({
            doc: "What comes after the prefix in keys that AI may write; left out, anything.",
            pattern: PREFIX,
          }),
        },
        secrets: keys,
      },
    },
    access: ["read", "write", "readwrite"],
    mcp: "tools",
  }) as const;

const family = {
  prefix: "s3",
  service: "S3",
  scope: "buckets",
  targetParameter: "bucket",
  slots: (link: McpLink, topology: Topology) => ({
    buckets: bucketsOf(link, topology, false),
    writable: writableOf(link),
  }),
  settings: (link: McpLink) => [
    { name: "URL", value: urlOf(link) },
    { name: "REGION", value: String(link.component.attributes["region"]) },
  ],
  playbooks: { health: { tool: "s3_list_buckets", how: "to see whether each bucket answers" } },
} as const;

function secretOf({ part, name, writes }: Account) {
  const doc = `Secret of the link's own key that ${writes ? "writes" : "reads"} ${name}.`;
  return { name: `${part}_SECRET_KEY`, doc };
}

/** A store where the administrator says what the keys are: their ids follow from the drawing. */
const own = {
  ...family,
  settings: (link: McpLink) => [
    ...family.settings(link),
    ...accountsOf(link).map(({ part, id }) => ({ name: `${part}_ACCESS_KEY`, value: id })),
  ],
  credentials: (link: McpLink) => accountsOf(link).map(secretOf),
};

/** A store that makes keys itself, as AWS does. */
const issued = {
  ...family,
  slots: (link: McpLink, topology: Topology) => ({
    buckets: bucketsOf(link, topology, true),
    writable: writableOf(link),
  }),
  credentials: (link: McpLink) =>
    accountsOf(link).flatMap((account) => {
      const id = { name: `${account.part}_ACCESS_KEY`, doc: `Id of the key of the account ${account.id}.` };
      return [id, secretOf(account)].map((credential) => ({ ...credential, issued: true as const }));
    }),
};

export default [
  defineComponent<typeof module>({
    ...shape("http"),
    type: "seaweedfs",
    summary: "SeaweedFS, an object store with the S3 protocol.",
    port: 8333,
    host: "{name}-s3.{namespace}.svc.{cluster_domain}",
    testedOn: ["SeaweedFS 4.53"],
    commands: httpCommands({
      paths: "^/(healthz|status)$",
      checks: ["curl -sf http://{host}:{port}/healthz"],
    }),
    tools: own,
  }),
  defineComponent<typeof module>({
    ...shape("http"),
    type: "minio",
    summary: "MinIO, an object store with the S3 protocol.",
    port: 9000,
    host: "{name}.{namespace}.svc.{cluster_domain}",
    testedOn: ["MinIO 2026-02-12"],
    commands: httpCommands({
      paths: "^/minio/health/(live|ready|cluster)$",
      checks: ["curl -sf http://{host}:{port}/minio/health/live"],
    }),
    tools: own,
  }),
  defineComponent<typeof module>({
    ...shape("https"),
    type: "s3",
    summary: "Any other object store with the S3 protocol.",
    port: 443,
    host: "{name}.{namespace}.svc.{cluster_domain}",
    tools: issued,
  }),
];
