import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { readSource } from "../load/source.ts";
import { isBlock } from "../model/block.ts";
import type { Block } from "../model/block.ts";
import { ExitCode, UsageError } from "./terminal.ts";

export interface StatusOptions {
  readonly out: string;
  readonly ingressReadiness: string;
  readonly json?: boolean;
}

/** What `phase` is made of, in the words of mcp-runtime's status. */
const CONDITIONS = ["deploymentReady", "serviceReady", "ingressReady", "policyReady"] as const;
type ConditionName = (typeof CONDITIONS)[number];

const CONDITION_OF: Readonly<Record<string, ConditionName>> = {
  Deployment: "deploymentReady",
  Service: "serviceReady",
  Ingress: "ingressReady",
  HTTPRoute: "ingressReady",
  ApisixRoute: "ingressReady",
  NetworkPolicy: "policyReady",
};

export interface Status {
  readonly phase: "Pending" | "PartiallyReady" | "Ready";
  readonly message: string;
  /** `null` where the output has no such object. */
  readonly conditions: Readonly<Record<ConditionName, boolean | null>>;
  readonly objects: readonly { readonly object: string; readonly problem: string | null }[];
}

const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((place, key) => (isBlock(place) ? place[key] : undefined), value);
const listAt = (value: unknown, ...path: readonly string[]): readonly unknown[] => {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
};

function nameOf(object: unknown): string {
  const parts = [at(object, "kind"), at(object, "metadata", "namespace"), at(object, "metadata", "name")];
  return parts.map(String).join("/");
}

function isTrue(conditions: readonly unknown[], type: string): boolean {
  return conditions.some((each) => at(each, "type") === type && at(each, "status") === "True");
}

function deploymentProblem(drawn: unknown, found: unknown): string | null {
  const wanted = at(drawn, "spec", "template", "metadata", "annotations") ?? {};
  const running = at(found, "spec", "template", "metadata", "annotations");
  const differs = Object.entries(wanted).find(([key, value]) => at(running, key) !== value);
  if (differs !== undefined) return `runs another version of this output (${differs[0]})`;
  const replicas = Number(at(found, "spec", "replicas") ?? 1);
  const status = (key: string): number => Number(at(found, "status", key) ?? 0);
  if (status("observedGeneration") < Number(at(found, "metadata", "generation") ?? 0))
    return "is not rolled out yet";
  if (status("updatedReplicas") < replicas || status("availableReplicas") < replicas)
    return `${Math.min(status("updatedReplicas"), status("availableReplicas"))} of ${replicas} pods are ready`;
  return null;
}

function routeProblem(found: unknown, isStrict: boolean): string | null {
  if (!isStrict) return null;
  const kind = at(found, "kind");
  if (kind === "Ingress")
    return listAt(found, "status", "loadBalancer", "ingress").length > 0 ? null : "has no address yet";
  const conditions =
    kind === "HTTPRoute"
      ? listAt(found, "status", "parents").flatMap((parent) => listAt(parent, "conditions"))
      : listAt(found, "status", "conditions");
  const word = kind === "HTTPRoute" ? "Accepted" : "ResourcesAvailable";
  return isTrue(conditions, word) ? null : `its gateway has not said ${word}`;
}

function problemOf(drawn: unknown, found: unknown, isStrict: boolean): string | null {
  if (found === undefined) return "is not in the cluster";
  const condition = CONDITION_OF[String(at(drawn, "kind"))];
  if (condition === "deploymentReady") return deploymentProblem(drawn, found);
  if (condition === "ingressReady") return routeProblem(found, isStrict);
  if (condition === "policyReady") return null;
  const [wanted, has] = [at(drawn, "spec", "selector"), at(found, "spec", "selector")];
  return JSON.stringify(wanted) === JSON.stringify(has) ? null : "leads to other pods";
}

/** Compares what an output says with what a cluster says of itself; nothing is asked over a network. */
export function statusOf(drawn: readonly unknown[], cluster: readonly unknown[], isStrict: boolean): Status {
  const known = new Map(cluster.map((object) => [nameOf(object), object]));
  const relevant = drawn.filter((object) => CONDITION_OF[String(at(object, "kind"))] !== undefined);
  const checked = relevant.map((object) => ({
    condition: CONDITION_OF[String(at(object, "kind"))],
    object: nameOf(object),
    problem: problemOf(object, known.get(nameOf(object)), isStrict),
  }));
  const ready = (name: ConditionName): boolean | null => {
    const own = checked.filter(({ condition }) => condition === name);
    return own.length === 0 ? null : own.every(({ problem }) => problem === null);
  };
  const conditions = Object.fromEntries(
    CONDITIONS.map((name) => [name, ready(name)]),
  ) as Status["conditions"];
  const faults = checked.filter(({ problem }) => problem !== null);
  const phase =
    faults.length === 0 ? "Ready" : conditions.deploymentReady === true ? "PartiallyReady" : "Pending";
  const [first] = faults;
  return {
    phase,
    message: first === undefined ? "everything that is drawn is there" : `${first.object} ${first.problem}`,
    conditions,
    objects: checked.map(({ object, problem }) => ({ object, problem })),
  };
}

async function drawnObjects(folder: string): Promise<readonly unknown[]> {
  const k8s = join(folder, "k8s");
  if (!existsSync(k8s)) throw new UsageError(`no manifests in ${folder}: run topogate generate`);
  const objects: unknown[] = [];
  for (const name of readdirSync(k8s).sort()) {
    if (!name.endsWith(".yaml") || name.includes(".sops.")) continue;
    for (const text of readFileSync(join(k8s, name), "utf8").split(/^---$/m)) {
      const read = await readSource(name, Buffer.from(text));
      if (!read.ok) throw new UsageError(`${join(k8s, name)} cannot be read: generate the stack again`);
      objects.push(read.source.value);
    }
  }
  return objects;
}

const STDIN = 0;

function clusterObjects(): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(STDIN, "utf8"));
  } catch {
    throw new UsageError("stdin must be what kubectl get -o json prints");
  }
  const items = (value as Block | null)?.["items"];
  return Array.isArray(items) ? items : [value];
}

/** Exit 1 until the phase is Ready. */
export async function runStatus(stack: string, options: StatusOptions): Promise<number> {
  const { ingressReadiness } = options;
  if (ingressReadiness !== "strict" && ingressReadiness !== "permissive")
    throw new UsageError(`--ingress-readiness must be strict or permissive, not "${ingressReadiness}"`);
  const drawn = await drawnObjects(resolve(options.out, stack));
  const status = statusOf(drawn, clusterObjects(), ingressReadiness === "strict");
  const lines = [
    `${stack}: ${status.phase}, ${status.message}`,
    ...CONDITIONS.map((name) => `  ${name}: ${status.conditions[name] ?? "not drawn"}`),
    ...status.objects.flatMap(({ object, problem }) => (problem === null ? [] : [`  ${object} ${problem}`])),
  ];
  process.stdout.write(options.json === true ? `${JSON.stringify(status)}\n` : `${lines.join("\n")}\n`);
  return status.phase === "Ready" ? ExitCode.ok : ExitCode.findings;
}
