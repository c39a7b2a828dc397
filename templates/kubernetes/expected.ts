/** What should run, as far as the drawing says it. */
import type { Component, McpLink, Topology } from "#contract";
import { namespacesOf } from "./reach.ts";
import type * as module from "./tools.ts";

type Expected = (typeof module.expected)[number];

/** More would make the module larger than a ConfigMap may be. */
const MOST_EXPECTED = 1000;

function podsOf({ attributes }: Component): number {
  // What runs at times has no pods in between.
  if (attributes["schedule"] !== undefined) return 0;
  const drawn = attributes["replicas"] ?? attributes["instances"];
  return typeof drawn === "number" ? drawn : 1;
}

function labelsOf({ podLabels }: Component): string {
  return Object.entries(podLabels)
    .map(([label, value]) => `${label}=${value}`)
    .sort()
    .join(",");
}

/** Components in pods of the namespaces that the link reaches, in the order of the drawing. */
export function expectedOf(link: McpLink, topology: Topology): readonly Expected[] {
  const reached = new Set(namespacesOf(link, topology));
  return topology.components
    .filter(
      ({ builtin, external, namespace, podLabels }) =>
        !builtin && external === null && reached.has(namespace) && Object.keys(podLabels).length > 0,
    )
    .slice(0, MOST_EXPECTED)
    .map((component) => ({
      component: component.name,
      namespace: component.namespace,
      labels: labelsOf(component),
      image: String(component.attributes["image"] ?? ""),
      pods: podsOf(component),
    }));
}
