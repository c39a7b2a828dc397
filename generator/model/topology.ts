import type { RuleSet } from "./rule-sets.ts";
/** The resolved drawing: readonly, sorted by name, every default filled in. Plain data, no behaviour. */

export type Scalar = string | number | boolean;
export type AttributeValue = Scalar | readonly Scalar[] | null;
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Keys from the root of the stack file to a value, for example `["links", "mcp", "valkey"]`. */
export type Path = readonly (string | number)[];

/** How far AI may go through an `mcp` link. */
export type Access = "read" | "propose" | "write";

/** Where a secret's value comes from. `implied` is the convention: nothing was written. */
export type SecretReference =
  | { readonly from: "implied"; readonly name: string }
  | { readonly from: "key"; readonly name: string }
  | { readonly from: "env"; readonly name: string }
  | { readonly from: "file"; readonly path: string }
  | { readonly from: "k8s"; readonly namespace: string; readonly secret: string; readonly key: string }
  | { readonly from: "external"; readonly store: string; readonly key: string }
  | { readonly from: "generate"; readonly length: number };

export interface SubComponent {
  readonly name: string;
  /** `database`, `topic` ... */
  readonly kind: string;
  /** The plural section it was drawn in: `databases`, `topics` ... */
  readonly section: string;
  readonly attributes: Attributes;
  readonly secrets: Readonly<Record<string, SecretReference>>;
  readonly path: Path;
}

export interface Component {
  readonly name: string;
  readonly type: string;
  /** Empty for an external component whose namespace was not drawn: it is not known to be in this cluster. */
  readonly namespace: string;
  readonly group: string;
  /** `null` for a type that nothing connects to. */
  readonly host: string | null;
  readonly port: number | null;
  readonly cidr: string | null;
  readonly external: { readonly stack: string; readonly component: string } | null;
  /** `mcp` and `stack_agent`, which exist without being drawn as components. */
  readonly builtin: boolean;
  /** Empty for what runs in no pod. */
  readonly podLabels: Readonly<Record<string, string>>;
  /** What the type's catalog entry declares, defaults filled in. */
  readonly attributes: Attributes;
  /** Free attributes of the drawing. */
  readonly config: Attributes;
  readonly secrets: Readonly<Record<string, SecretReference>>;
  /** Sorted by section, then name. */
  readonly subs: readonly SubComponent[];
  readonly path: Path;
}

export interface End {
  readonly component: Component;
  readonly sub: SubComponent | null;
}

/** Any drawn link, those from `mcp` included. */
export interface Link {
  /** Unique: `fastapi->kafka/orders`, with `#name` when several links join the same ends. */
  readonly id: string;
  /** `<source type>-<target type>[_<kind>]`. */
  readonly type: string;
  /** Not unique: two links to topics of one Kafka share it. */
  readonly name: string;
  readonly from: End;
  readonly to: End;
  readonly access: string | null;
  /** Everything else that was written on the link, `x-*` left out; a map is a sorted list of `key=value`. */
  readonly attributes: Attributes;
  readonly path: Path;
}

/** One thing behind an `mcp` link that AI may reach, and how far. */
export interface Target {
  readonly sub: SubComponent;
  readonly access: Access;
}

export interface Limits {
  readonly perTool?: string;
  readonly perSession?: string;
}

/** A link that gives AI tools: the unit of everything this project emits. */
export interface McpLink {
  /** `mcp->valkey`. */
  readonly id: string;
  readonly component: Component;
  /** The widest word of the link; decides whether write tools exist at all. */
  readonly access: Access;
  /** The sub-components of the type's tool scope that were drawn, sorted by name. Empty for a type without a scope. */
  readonly targets: readonly Target[];
  /** True when `only` was written: the link reaches `targets` and nothing else of the component. */
  readonly narrowed: boolean;
  /** Names of the write tools to keep, as written; `null` keeps all that `access` allows. */
  readonly tools: readonly string[] | null;
  readonly limits: Limits;
  readonly approvers: readonly string[];
  /** Where values of the link's own account come from, by variable, as far as it was written. */
  readonly credentials: Readonly<Record<string, SecretReference>>;
  /** The link as it would be written in one line, canonical: `valkey: {access: write, tools: [valkey_set]}`. */
  readonly drawn: string;
  readonly path: Path;
}

export interface Grant {
  readonly name: string;
  readonly subject: {
    readonly human?: string;
    readonly agent?: string;
    readonly team?: string;
    readonly group?: string;
  };
  readonly maxTrust: "low" | "medium" | "high";
  readonly tools: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  readonly expires: string | null;
}

export type OAuthRole = "viewer" | "operator" | "admin" | "auditor";

/** Callers that come with a token of an issuer, beside those that come with a key. */
export interface OAuth {
  /** As its tokens name it. */
  readonly issuer: string;
  /** `null` for the address of the drawn route. */
  readonly audience: string | null;
  readonly keys:
    | { readonly from: "component"; readonly component: string; readonly url: string }
    | { readonly from: "file"; readonly file: string };
  readonly scopes: readonly string[];
  /** By `human`, `agent`, `team` and `role`: the claim that says it. */
  readonly claims: Readonly<Record<string, string>>;
  /** By the value of the role's claim. */
  readonly roles: Readonly<Record<string, OAuthRole>>;
  readonly teams: readonly string[];
  readonly delegates: readonly string[];
  readonly takesKeys: boolean;
}

export interface AccessRules {
  readonly limits: Limits;
  readonly approvals: { readonly approvers: readonly string[]; readonly ttl: string | null };
  /** Tool glob to the trust that a call needs. */
  readonly trust: Readonly<Record<string, "low" | "medium" | "high">>;
  readonly grants: readonly Grant[];
  readonly oauth: OAuth | null;
}

/** Everything under `components.mcp`. */
export interface ServerSettings {
  readonly framework: "sdk" | "fastmcp";
  readonly replicas: number;
  /** Component that holds shared state when there is more than one replica. */
  readonly state: string | null;
  readonly image: string | null;
  readonly resources: Readonly<Record<string, Readonly<Record<string, string>>>> | null;
  readonly recipients: readonly string[];
  readonly gitops: "none" | "flux" | "argocd";
  readonly delivery: "kubernetes" | "mcp-runtime";
  readonly rules: readonly string[];
}

export interface Export {
  readonly component: string;
  readonly to: readonly string[];
  readonly access: string;
}

/** A file that a component's attribute names, such as the OpenAPI description of a service. */
export interface StackDocument {
  readonly component: string;
  readonly attribute: string;
  readonly content: unknown;
}

export interface Topology {
  readonly stack: string;
  /** `null` for the base. */
  readonly environment: string | null;
  readonly environments: readonly string[];
  /** The stack file as the header of every emitted file names it: `stacks/shop.yaml`, always with `/`. */
  readonly source: string;
  readonly description: string | null;
  readonly owner: string | null;
  readonly domain: string | null;
  readonly clusterDomain: string;
  /** Sorted by name; the built-ins are present when linked. */
  readonly components: readonly Component[];
  /** Sorted by id; the `mcp` links are here too. */
  readonly links: readonly Link[];
  /** Sorted by component name: the `mcp` links that have tools today. */
  readonly mcpLinks: readonly McpLink[];
  readonly server: ServerSettings;
  readonly exports: readonly Export[];
  readonly access: AccessRules;
  /** Sorted by component, then attribute. */
  readonly documents: readonly StackDocument[];
  /** The issuer's key set, where the drawing names a file with it. */
  readonly issuerKeys: readonly Readonly<Record<string, unknown>>[];
  /** The higher layer first, merged. */
  readonly ruleSets: readonly RuleSet[];
  /**
   * The normalised stack file of this environment with sorted keys: the same for every way of writing the
   * same drawing.
   */
  readonly drawing: unknown;
}
