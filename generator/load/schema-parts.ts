/** The pieces that the schema of the file as written and the schema of the normalised document share. */
import type { AttributeSpec, ComponentType, SecretSpec, SubComponentSpec } from "../catalog/contract.ts";
import { NAME, closed, doc, named } from "./schema-blocks.ts";
import type { JsonSchema } from "./schema-blocks.ts";
import { oauthSchema } from "./schema-oauth.ts";

export type Types = ReadonlyMap<string, ComponentType> | Iterable<ComponentType>;

/** The types in order, whether they come by name or as a list. */
export function sortedTypes(types: Types): readonly ComponentType[] {
  const all = [
    ...(types instanceof Map
      ? (types as ReadonlyMap<string, ComponentType>).values()
      : (types as Iterable<ComponentType>)),
  ];
  return all.sort((a, b) => (a.type < b.type ? -1 : 1));
}

/** Names of sub-components are names on the service, which allow more: topics have dots. */
export const SUB_NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,126}$";
const ATTRIBUTE_NAME = "^[a-z][a-z0-9_]{0,62}$";
const DNS_LABEL = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";
const HOST = "^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$";
const CIDR = "^[0-9a-fA-F.:]{2,45}/[0-9]{1,3}$";
const RATE = "^[1-9][0-9]{0,8}/(s|min|h)$";
const DURATION = "^[1-9][0-9]{0,5}(s|m|h|d)$";
const DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z)?$";
const TRUST = ["low", "medium", "high"] as const;

const string = { type: "string" };
const strings = { type: "array", items: string };
const anything = true;
const scalar = { type: ["string", "number", "boolean"] };

function attributeShape(spec: AttributeSpec): JsonSchema {
  switch (spec.kind) {
    case "text":
      return { type: "string", ...(spec.pattern === undefined ? {} : { pattern: spec.pattern }) };
    case "integer":
      return {
        type: "integer",
        ...(spec.min === undefined ? {} : { minimum: spec.min }),
        ...(spec.max === undefined ? {} : { maximum: spec.max }),
      };
    case "flag":
      return { type: "boolean" };
    case "choice":
      return { type: "string", enum: [...spec.values] };
    case "list":
      return {
        type: "array",
        items: { type: "string", ...(spec.pattern === undefined ? {} : { pattern: spec.pattern }) },
      };
    case "map":
      return { type: "object", additionalProperties: string };
  }
}

/** One text, three uses: the schema's description, the editor's hover and the catalog page. */
function attributeSchema(spec: AttributeSpec): JsonSchema {
  return {
    description: spec.doc,
    ...attributeShape(spec),
    ...(spec.default === undefined ? {} : { default: spec.default }),
  };
}

function attributeSchemas(specs: Readonly<Record<string, AttributeSpec>>): Record<string, JsonSchema> {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, attributeSchema(spec)]));
}

const resources = doc("Requests and limits of the server's pod.", {
  type: "object",
  properties: {
    requests: { type: "object", additionalProperties: string },
    limits: { type: "object", additionalProperties: string },
  },
  additionalProperties: false,
});

/** What every component may carry, whatever its type. */
const commonAttributes: Readonly<Record<string, JsonSchema>> = {
  type: doc("Type from the catalog; may be left out when the component is named like its type.", string),
  description: doc("What the component is for, in a sentence.", string),
  namespace: doc("Kubernetes namespace; default: defaults.namespace, else the component's name.", {
    type: "string",
    pattern: DNS_LABEL,
  }),
  group: doc("Group that queries select by; default: that of the type.", { type: "string", pattern: NAME }),
  host: doc("Host name; default: the service name that the type implies.", { type: "string", pattern: HOST }),
  port: doc("TCP port; default: that of the type.", { type: "integer", minimum: 1, maximum: 65535 }),
  cidr: doc("Address range for the network rule to a component outside the cluster.", {
    type: "string",
    pattern: CIDR,
  }),
  external: doc("The component belongs to another stack, which must export it to this one.", {
    type: "object",
    properties: { stack: { type: "string", pattern: NAME }, component: { type: "string", pattern: NAME } },
    required: ["stack", "component"],
    additionalProperties: false,
  }),
  pod_labels: doc("Labels of the pods that network rules select.", {
    type: "object",
    additionalProperties: string,
  }),
  config: doc("Free values; each becomes a variable of that name.", named(scalar, ATTRIBUTE_NAME)),
};

/** How secrets and sections are written differs: the normalised form and the file as people write it. */
export interface Notation {
  secret(spec: SecretSpec): unknown;
  section(block: JsonSchema, spec: SubComponentSpec): JsonSchema;
}

function secretSchemas(
  specs: Readonly<Record<string, SecretSpec>> | undefined,
  notation: Notation,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(specs ?? {}).map(([name, spec]) => [name, notation.secret(spec)]));
}

function sectionSchema(spec: SubComponentSpec, notation: Notation): JsonSchema {
  const block = closed({ ...attributeSchemas(spec.attributes), ...secretSchemas(spec.secrets, notation) });
  return notation.section(block, spec);
}

/** The closed schema of one component type. */
export function componentSchema(type: ComponentType, notation: Notation): JsonSchema {
  const sections = Object.entries(type.subComponents ?? {});
  return closed({
    ...commonAttributes,
    ...attributeSchemas(type.attributes),
    ...secretSchemas(type.secrets, notation),
    ...Object.fromEntries(sections.map(([name, spec]) => [name, sectionSchema(spec, notation)])),
    ...(type.builtin === "mcp" ? { resources } : {}),
  });
}

export const linkAttributes: Readonly<Record<string, JsonSchema>> = {
  access: doc("How far the link goes, in the words of the type it ends at.", string),
  name: doc("Name of the link; needed when several join the same two ends.", {
    type: "string",
    pattern: NAME,
  }),
  description: doc("What flows here, in a sentence.", string),
  protocol: doc("Protocol on the wire.", string),
  port: doc("Port, when it is not the component's.", { type: "integer", minimum: 1, maximum: 65535 }),
  group: doc("Group that queries select by.", string),
  env_vars: doc("Variables that the source reads for this link.", {
    type: "object",
    additionalProperties: string,
  }),
  schedule: doc("Cron expression of a recurring job.", string),
  retention: doc("How long results are kept: 30d.", string),
  query: doc("Query of a sink or a job.", string),
  optional: doc("The source works without it.", { type: "boolean" }),
  tls: doc("Encrypted on the wire.", { type: "boolean" }),
  enabled: doc("Switched off links stay in the drawing.", { type: "boolean" }),
};

export const gatewayAttributes: Readonly<Record<string, JsonSchema>> = {
  subdomain: doc("Host name below the stack's domain; default: the target's name.", {
    type: "string",
    pattern: HOST,
  }),
  path: doc("Path prefix of the route.", { type: "string", pattern: "^/[A-Za-z0-9/_.~-]*$" }),
  auth: doc("How the gateway authenticates callers.", {
    type: "string",
    enum: ["none", "key-auth", "oidc", "basic"],
  }),
  rate_limit: doc("Requests that one caller may send: 100/s.", { type: "string", pattern: RATE }),
  cors: doc("Answers cross-origin requests.", { type: "boolean" }),
  websocket: doc("Lets connections be upgraded.", { type: "boolean" }),
};

const limitsSchema = doc(
  "Calls that one session, or one tool, may make: 60/min.",
  closed({
    perSession: { type: "string", pattern: RATE },
    perTool: { type: "string", pattern: RATE },
  }),
);

/** `only` is a map from name to word after normalising; its words are checked where its names are resolved. */
export const aiAttributes = {
  access: doc("read (default), propose: each call needs an approval, or write.", string),
  only: anything,
  tools: doc("Names of the write tools to keep, as AI sees them; read tools stay.", strings),
  limits: limitsSchema,
  approvers: doc("Who may approve a proposed call: group:sre.", strings),
  credentials: doc(
    "Where credentials of the link's own account come from: {password: {env: NAME}}; left out, they are made once.",
    named(anything, ATTRIBUTE_NAME),
  ),
  description: doc("Why AI needs this, in a sentence.", string),
};

/** An environment writes only what differs, so nothing is required there. */
export function accessSchema(grantNeeds: readonly string[], oauthNeeds: readonly string[] = []): JsonSchema {
  const grant = closed(
    {
      subject: doc("Who it is for; every part that is written must fit.", {
        type: "object",
        properties: { human: string, agent: string, team: string, group: string },
        minProperties: 1,
        additionalProperties: false,
      }),
      maxTrust: doc("No tool that needs more than this can be called.", { type: "string", enum: TRUST }),
      tools: doc("Tool names or patterns; deny wins.", closed({ allow: strings, deny: strings })),
      expires: doc("Day, or instant in UTC, from which the grant is void: 2027-01-31.", {
        type: "string",
        pattern: DATE,
      }),
    },
    grantNeeds,
  );
  const approvals = closed({
    approvers: doc("Who may approve a proposed call: group:sre.", strings),
    ttl: doc("How long a proposal waits for its approval: 15m.", { type: "string", pattern: DURATION }),
  });
  const trust = { type: "object", additionalProperties: { type: "string", enum: TRUST } };
  return doc(
    "Who may call what through the server.",
    closed({
      limits: limitsSchema,
      approvals: doc("Rules for calls that a person has to approve.", approvals),
      trust: doc("Trust that a call needs, by tool name or pattern.", trust),
      grants: doc("Who may call, up to which trust.", named(grant)),
      oauth: oauthSchema(oauthNeeds),
    }),
  );
}

const exportsSchema = doc(
  "Components that other stacks may link to.",
  named(
    closed(
      {
        to: doc("Stacks that may.", { type: "array", items: { type: "string", pattern: NAME } }),
        access: doc("The widest access word that they may draw; default: read.", string),
      },
      ["to"],
    ),
  ),
);

export const rootAttributes: Readonly<Record<string, unknown>> = {
  apiVersion: doc("Version of this format.", { const: "topology/v1" }),
  stack: doc("Name of the stack: the file's name without .yaml.", { type: "string", pattern: NAME }),
  description: doc("What the system is, in a sentence.", string),
  owner: doc("Team that answers for it.", string),
  domain: doc("Domain of the routes: {subdomain}.{domain}.", { type: "string", pattern: HOST }),
  cluster_domain: doc("Domain of the cluster's services; default: cluster.local.", {
    type: "string",
    pattern: HOST,
  }),
  defaults: doc(
    "Values for components that write none.",
    closed({
      namespace: { type: "string", pattern: DNS_LABEL },
      group: { type: "string", pattern: NAME },
    }),
  ),
  exports: exportsSchema,
  access: accessSchema(["subject", "maxTrust"], ["issuer"]),
};
