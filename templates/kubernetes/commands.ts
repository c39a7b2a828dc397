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
  always: ["--request-timeout=10s"],
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
  passes: ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"],
  settings: { KUBECONFIG: "KUBECONFIG" },
};

/** `kubectl` for the namespace of a row, with the account that the link has in the cluster. */
export const commands: CommandFamily = {
  ambient: true,
  executables: [kubectl],
  checks: [
    "kubectl get pods -n {namespace} --no-headers",
    'pods=$(kubectl get pods -n {namespace} --no-headers | grep -c Running); test "$pods" -gt 0',
  ],
};
