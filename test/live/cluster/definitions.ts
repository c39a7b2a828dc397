/**
 * The kinds of APISIX's ingress controller and of mcp-runtime, whose own definitions come with no Go module: their
 * fields, types, closed lists and required members as the two projects publish them, for objects that are emitted here.
 * Strict like theirs: a field that is not named is refused.
 */

type Schema = Readonly<Record<string, unknown>>;

const word: Schema = { type: "string" };
const filled: Schema = { type: "string", minLength: 1 };
const whole: Schema = { type: "integer" };
const flag: Schema = { type: "boolean" };
const open: Schema = { "x-kubernetes-preserve-unknown-fields": true };
const wholeOrWord: Schema = { "x-kubernetes-int-or-string": true, anyOf: [whole, word] };
const moment: Schema = { type: "string", format: "date-time" };

const one = (...values: readonly string[]): Schema => ({ type: "string", enum: values });
const many = (items: Schema): Schema => ({ type: "array", items });
const mapOf = (additionalProperties: Schema): Schema => ({ type: "object", additionalProperties });
const record = (properties: Readonly<Record<string, Schema>>, ...required: readonly string[]): Schema => ({
  type: "object",
  properties,
  ...(required.length === 0 ? {} : { required }),
});

const secretKey = record({ name: word, key: word }, "name", "key");
const secret = record({ name: filled, namespace: filled }, "name", "namespace");
const localSecret = record({ name: word });

const authentication = record(
  {
    enable: flag,
    type: word,
    keyAuth: record({ header: word }),
    jwtAuth: record({ cookie: word, header: word, query: word }),
    ldapAuth: record({ base_dn: word, ldap_uri: word, uid: word, use_tls: flag }),
  },
  "enable",
  "type",
);

const expression = record(
  { op: word, set: many(word), subject: record({ name: word, scope: word }, "name", "scope"), value: word },
  "op",
  "subject",
);

const httpRule = record(
  {
    name: word,
    priority: whole,
    timeout: record({ connect: word, read: word, send: word }),
    match: record(
      {
        paths: many(word),
        methods: many(word),
        hosts: many(word),
        remoteAddrs: many(word),
        exprs: many(expression),
        filter_func: word,
      },
      "paths",
    ),
    backends: many(
      record(
        {
          serviceName: word,
          servicePort: wholeOrWord,
          resolveGranularity: word,
          subset: word,
          weight: whole,
        },
        "serviceName",
        "servicePort",
      ),
    ),
    upstreams: many(record({ name: word, weight: whole })),
    websocket: flag,
    plugin_config_name: word,
    plugin_config_namespace: word,
    plugins: many(record({ name: word, enable: flag, config: open, secretRef: word }, "name", "enable")),
    authentication,
  },
  "match",
  "name",
);

const consumerAccount = record({
  basicAuth: record({ secretRef: localSecret, value: record({ username: word, password: word }) }),
  keyAuth: record({ secretRef: localSecret, value: record({ key: word }, "key") }),
  jwtAuth: open,
  wolfRBAC: open,
  hmacAuth: open,
  ldapAuth: open,
});

const pluginList = many(record({ name: word, config: open, secretRef: localSecret }, "name"));

const APISIX: Readonly<Record<string, readonly [kind: string, version: string, spec: Schema]>> = {
  apisixroutes: ["ApisixRoute", "v2", record({ ingressClassName: word, http: many(httpRule), stream: open })],
  apisixtlses: [
    "ApisixTls",
    "v2",
    record(
      {
        ingressClassName: word,
        hosts: { ...many({ type: "string", pattern: "^\\*?[0-9a-zA-Z-.]+$" }), minItems: 1 },
        secret,
        client: record({ caSecret: secret, depth: whole, skip_mtls_uri_regex: many(word) }),
      },
      "hosts",
      "secret",
    ),
  ],
  apisixconsumers: [
    "ApisixConsumer",
    "v2",
    record({ ingressClassName: word, authParameter: consumerAccount }, "authParameter"),
  ],
  pluginconfigs: [
    "PluginConfig",
    "v1alpha1",
    record({ plugins: many(record({ name: word, config: open }, "name")) }, "plugins"),
  ],
  consumers: [
    "Consumer",
    "v1alpha1",
    record({
      gatewayRef: record({ group: word, kind: word, name: filled, namespace: word }, "name"),
      credentials: many(
        record(
          {
            type: one("jwt-auth", "basic-auth", "key-auth", "hmac-auth"),
            name: word,
            config: open,
            secretRef: record({ name: word, namespace: word }, "name"),
          },
          "type",
        ),
      ),
      plugins: pluginList,
    }),
  ],
};

const trust = one("low", "medium", "high");
const sideEffect = one("read", "write", "destructive");
const amounts = record({ cpu: word, memory: word });
const resources = record({ requests: amounts, limits: amounts });
const serverRef = record({ name: word, namespace: word }, "name");
const subject = record({ humanID: word, agentID: word, teamID: word });
const item = record({ name: word, description: word, labels: mapOf(word) }, "name");

/** The version whose gateway takes identities from headers; later ones leave `auth.mode` and these headers out. */
const server = record(
  {
    image: word,
    imageTag: word,
    imagePullSecrets: many(word),
    registryOverride: word,
    useProvisionedRegistry: flag,
    description: word,
    teamID: word,
    replicas: whole,
    port: whole,
    servicePort: whole,
    publicPathPrefix: word,
    ingressHost: word,
    ingressPath: word,
    ingressClass: word,
    ingressAnnotations: mapOf(word),
    resources,
    envVars: many(record({ name: word, value: word }, "name", "value")),
    secretEnvVars: many(record({ name: word, secretKeyRef: secretKey }, "name")),
    tools: many(
      record(
        {
          name: word,
          description: word,
          labels: mapOf(word),
          requiredTrust: trust,
          riskLevel: trust,
          sideEffect,
        },
        "name",
        "sideEffect",
      ),
    ),
    prompts: many(item),
    mcpResources: many(item),
    tasks: many(item),
    auth: record({
      mode: one("none", "header", "oauth"),
      humanIDHeader: word,
      agentIDHeader: word,
      teamIDHeader: word,
      sessionIDHeader: word,
      tokenHeader: word,
      issuerURL: word,
      audience: word,
    }),
    policy: record({
      mode: one("allow-list", "observe"),
      defaultDecision: one("allow", "deny"),
      enforceOn: word,
      policyVersion: word,
    }),
    session: record({
      required: flag,
      store: word,
      headerName: word,
      maxLifetime: word,
      idleTimeout: word,
      upstreamTokenHeader: word,
    }),
    gateway: record({
      enabled: flag,
      image: word,
      port: whole,
      upstreamURL: word,
      stripPrefix: word,
      resources,
    }),
    analytics: record({
      disabled: flag,
      ingestURL: word,
      source: word,
      eventType: word,
      apiKeySecretRef: secretKey,
    }),
    rollout: record({
      strategy: one("RollingUpdate", "Recreate", "Canary"),
      maxUnavailable: word,
      maxSurge: word,
      canaryReplicas: whole,
    }),
  },
  "image",
);

const MCP_RUNTIME: typeof APISIX = {
  mcpservers: ["MCPServer", "v1alpha1", server],
  mcpaccessgrants: [
    "MCPAccessGrant",
    "v1alpha1",
    record(
      {
        serverRef,
        subject,
        maxTrust: trust,
        allowedSideEffects: many(sideEffect),
        policyVersion: word,
        disabled: flag,
        expiresAt: moment,
        toolRules: many(
          record({ name: word, decision: one("allow", "deny"), requiredTrust: trust }, "name", "decision"),
        ),
      },
      "serverRef",
      "subject",
    ),
  ],
  mcpagentsessions: [
    "MCPAgentSession",
    "v1alpha1",
    record(
      {
        serverRef,
        subject,
        consentedTrust: trust,
        revoked: flag,
        expiresAt: moment,
        policyVersion: word,
        upstreamTokenSecretRef: secretKey,
      },
      "serverRef",
      "subject",
    ),
  ],
};

function definitionsOf(group: string, kinds: typeof APISIX): readonly object[] {
  return Object.entries(kinds).map(([plural, [kind, version, spec]]) => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { plural, kind, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: record({ spec, status: open }, "spec") },
        },
      ],
    },
  }));
}

/** One definition for each of these kinds, to be applied before the objects. */
export const DEFINITIONS: readonly object[] = [
  ...definitionsOf("apisix.apache.org", APISIX),
  ...definitionsOf("mcpruntime.org", MCP_RUNTIME),
];
