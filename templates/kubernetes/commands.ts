import type { CommandFamily } from "#contract";

type Executable = CommandFamily["executables"][number];

const NAME = { is: "text", pattern: "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max: 253 } as const;
const SELECTOR = {
  is: "text",
  pattern: "^[A-Za-z0-9]([\\w./-]*(=|==|!=)?[\\w.-]*)(,[A-Za-z0-9][\\w./-]*(=|==|!=)?[\\w.-]*)*$",
  max: 500,
} as const;

/** Kinds that show how something runs, without what it was given. */
const KINDS = [
  "pod",
  "pods",
  "po",
  "service",
  "services",
  "svc",
  "deployment",
  "deployments",
  "deploy",
  "event",
  "events",
  "ev",
];
const MORE_KINDS = [
  "replicaset",
  "replicasets",
  "rs",
  "statefulset",
  "statefulsets",
  "sts",
  "job",
  "jobs",
  "cronjob",
  "cronjobs",
  "cj",
];

/** Only names and columns are printed: a whole object shows what its containers are given. */
const kubectl: Executable = {
  name: "kubectl",
  operandsFirst: true,
  sets: { KUBECONFIG: "/dev/stdin", KUBECTL_COMMAND_HEADERS: "false" },
  flags: [
    { names: ["--namespace", "-n"], value: { is: "namespace" } },
    { names: ["--selector", "-l"], value: SELECTOR },
    { names: ["--output", "-o"], value: { is: "choice", values: ["name", "wide"] } },
    { names: ["--no-headers"] },
    { names: ["--show-labels"] },
  ],
  requires: ["-n"],
  forms: [
    {
      word: "get",
      operands: [
        { is: "choice", values: [...KINDS, ...MORE_KINDS] },
        { ...NAME, optional: true },
      ],
    },
    {
      word: "describe",
      operands: [
        { is: "choice", values: KINDS },
        { ...NAME, optional: true },
      ],
      conceals: ["Annotations", "Args", "Command", "Environment", "Environment Variables from", "Exec"],
    },
  ],
  input: {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "run",
    clusters: [{ name: "run", cluster: { server: "{url}", "certificate-authority": "{ca_file}" } }],
    users: [{ name: "run", user: { $first: [{ token: "{token}" }, { tokenFile: "{token_file}" }] } }],
    contexts: [{ name: "run", context: { cluster: "run", user: "run" } }],
  },
};

/** Where Kubernetes mounts the account of a pod. */
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** `kubectl` for the namespace of a row, with the account that the link has in the cluster. */
export const commands: CommandFamily = {
  ambient: true,
  install: [{ image: "rancher/kubectl:v1.34.1", path: "/bin/kubectl", program: "kubectl" }],
  executables: [kubectl],
  accounts: ({ component: { host, port } }) => [
    {
      variables: {
        url: { name: "URL", value: `https://${host ?? ""}:${port ?? 443}` },
        ca_file: { name: "CA_FILE", value: `${ACCOUNT}/ca.crt` },
        token: { name: "TOKEN", secret: true },
        token_file: { name: "TOKEN_FILE", value: `${ACCOUNT}/token` },
      },
    },
  ],
  checks: [
    "kubectl get pods -n {namespace} --no-headers",
    'pods=$(kubectl get pods -n {namespace} --no-headers | grep -c Running); test "$pods" -gt 0',
  ],
};
