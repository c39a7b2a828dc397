/** How pods are run, found and replaced. */
import {
  at,
  blocks,
  entries,
  isBlock,
  kindOf,
  nameOf,
  namespaceOf,
  ofKind,
  podsIn,
  selects,
} from "../object.ts";
import type { Block, Manifest, Pod } from "../object.ts";
import { complaints } from "../rule.ts";
import type { Rule } from "../rule.ts";

const PROBES = ["startupProbe", "livenessProbe", "readinessProbe"];
const RECOMMENDED = ["name", "instance", "component", "part-of", "managed-by"].map(
  (label) => `app.kubernetes.io/${label}`,
);

function describe(pod: Pod): string {
  return `${pod.owner.file}: ${nameOf(pod.owner)}`;
}

function perPod(
  id: string,
  title: string,
  isFine: (pod: Pod, manifests: readonly Manifest[]) => boolean,
  breaks: Readonly<Record<string, (pod: Pod, manifests: readonly Manifest[]) => void>>,
): Rule {
  return {
    id,
    title,
    check: (manifests) => complaints(podsIn(manifests), (pod) => isFine(pod, manifests), describe),
    breaks: Object.fromEntries(
      Object.entries(breaks).map(([how, change]) => [
        how,
        (manifests: readonly Manifest[]) => podsIn(manifests).forEach((pod) => change(pod, manifests)),
      ]),
    ),
  };
}

function portNames(container: Block): readonly unknown[] {
  return blocks(container["ports"]).map(({ name }) => name);
}

function hasGoodProbes(container: Block): boolean {
  const path = (probe: string): unknown => at(container, probe, "httpGet", "path");
  const isAnswered = PROBES.every((probe) =>
    portNames(container).includes(at(container, probe, "httpGet", "port")),
  );
  return isAnswered && path("livenessProbe") === "/health" && path("readinessProbe") === "/ready";
}

/** A tag that can come to mean something else, as opposed to a version or a digest. */
function isFloating(image: unknown): boolean {
  return (
    typeof image !== "string" || !/(:[^:/@]+|@sha256:[0-9a-f]{64})$/.test(image) || image.endsWith(":latest")
  );
}

function isProtected(pod: Pod, manifests: readonly Manifest[]): boolean {
  if (Number(at(pod.owner.object, "spec", "replicas")) < 2) return true;
  const budgets = ofKind(manifests, "PodDisruptionBudget");
  const isBudgeted = budgets.some(({ object }) =>
    selects(at(object, "spec", "selector", "matchLabels"), pod.labels),
  );
  return isBudgeted && blocks(pod.spec["topologySpreadConstraints"]).length > 0;
}

function servicesOf(pod: Pod, manifests: readonly Manifest[]): readonly Manifest[] {
  return ofKind(manifests, "Service").filter(
    (service) =>
      namespaceOf(service) === namespaceOf(pod.owner) &&
      selects(at(service.object, "spec", "selector"), pod.labels),
  );
}

function leadsSomewhere(service: Manifest, pod: Pod): boolean {
  const names = pod.containers.flatMap(portNames);
  return (
    at(service.object, "spec", "type") === "ClusterIP" &&
    blocks(at(service.object, "spec", "ports")).every((port) => names.includes(port["targetPort"]))
  );
}

export const workloadRules: readonly Rule[] = [
  perPod(
    "H10",
    "runs an image that stays what it is, and asks for it each time",
    ({ containers }) =>
      containers.every(
        (container) => !isFloating(container["image"]) && container["imagePullPolicy"] === "Always",
      ),
    {
      latest: ({ containers }) => containers.forEach((each) => (each["image"] = "shop-mcp:latest")),
      "no tag": ({ containers }) =>
        containers.forEach((each) => (each["image"] = "registry.example.com:5000/a")),
      "what the node has": ({ containers }) =>
        containers.forEach((each) => (each["imagePullPolicy"] = "IfNotPresent")),
    },
  ),
  perPod(
    "H11",
    "is asked whether it lives and, elsewhere, whether it is ready",
    ({ containers }) => containers.every(hasGoodProbes),
    {
      "one answer for both": ({ containers }) =>
        containers.forEach((each) => (each["readinessProbe"] = each["livenessProbe"])),
      "no start": ({ containers }) => containers.forEach((each) => delete each["startupProbe"]),
      "a port that is not there": ({ containers }) =>
        containers.forEach((each) => (each["ports"] = [{ name: "web", containerPort: 8080 }])),
    },
  ),
  {
    id: "H12",
    title: "a Service leads to a port of a pod, within the cluster",
    check: (manifests) => {
      const pods = podsIn(manifests);
      const dangling = complaints(
        ofKind(manifests, "Service"),
        (service) =>
          pods.some((pod) => servicesOf(pod, manifests).includes(service) && leadsSomewhere(service, pod)),
        ({ file }) => `${file}: leads nowhere`,
      );
      const lonely = complaints(pods, (pod) => servicesOf(pod, manifests).length > 0, describe);
      return [...dangling, ...lonely];
    },
    breaks: {
      "another label": (manifests) =>
        ofKind(manifests, "Service").forEach(
          ({ object }) => ((object["spec"] as Block)["selector"] = { a: "b" }),
        ),
      "another port": (manifests) =>
        ofKind(manifests, "Service").forEach(({ object }) =>
          blocks(at(object, "spec", "ports")).forEach((port) => (port["targetPort"] = "web")),
        ),
      "a port on every node": (manifests) =>
        ofKind(manifests, "Service").forEach(
          ({ object }) => ((object["spec"] as Block)["type"] = "NodePort"),
        ),
    },
  },
  perPod(
    "H13",
    "carries the labels that people look for, and those that its owner selects",
    (pod) => {
      const selector = at(pod.owner.object, "spec", "selector", "matchLabels");
      const own = at(pod.owner.object, "metadata", "labels");
      const isLabelled = RECOMMENDED.every(
        (label) => at(own, label) !== undefined && pod.labels[label] !== undefined,
      );
      const isItself = at(own, "app.kubernetes.io/instance") === nameOf(pod.owner);
      return entries(selector).length > 0 && selects(selector, pod.labels) && isLabelled && isItself;
    },
    {
      "a selector of nothing": (pod) =>
        void ((at(pod.owner.object, "spec") as Block)["selector"] = { matchLabels: { a: "b" } }),
      "a label less": (pod) => void delete pod.labels["app.kubernetes.io/part-of"],
      "another instance": (pod) =>
        void ((at(pod.owner.object, "metadata", "labels") as Block)["app.kubernetes.io/instance"] = "other"),
    },
  ),
  perPod("H18", "stays up while nodes are emptied, when there is more than one", isProtected, {
    "no budget": ({ owner, spec }) => {
      (owner.object["spec"] as Block)["replicas"] = 3;
      spec["topologySpreadConstraints"] = [];
    },
    "all on one node": (pod, manifests) => {
      (pod.owner.object["spec"] as Block)["replicas"] = 3;
      for (const budget of ofKind(manifests, "PodDisruptionBudget"))
        (at(budget.object, "spec", "selector") as Block)["matchLabels"] = { a: "b" };
      delete pod.spec["topologySpreadConstraints"];
    },
  }),
  perPod(
    "H19",
    "is replaced one by one, can be rolled back, and may end its calls",
    ({ owner, spec }) =>
      at(owner.object, "spec", "strategy", "type") === "RollingUpdate" &&
      Number(at(owner.object, "spec", "revisionHistoryLimit")) > 0 &&
      // The server and the agent let calls end for ten seconds.
      Number(spec["terminationGracePeriodSeconds"]) > 10,
    {
      "all at once": ({ owner }) => void ((owner.object["spec"] as Block)["strategy"] = { type: "Recreate" }),
      "no way back": ({ owner }) => void ((owner.object["spec"] as Block)["revisionHistoryLimit"] = 0),
      "no time": ({ spec }) => void (spec["terminationGracePeriodSeconds"] = 5),
    },
  ),
  perPod(
    "H26",
    "gets no variables that nobody wrote, and resolves names through the cluster",
    ({ spec }) =>
      spec["enableServiceLinks"] === false &&
      ["ClusterFirst", undefined].includes(spec["dnsPolicy"] as string | undefined),
    {
      "variables of Services": ({ spec }) => void delete spec["enableServiceLinks"],
      "the node's resolver": ({ spec }) => void (spec["dnsPolicy"] = "Default"),
    },
  ),
  perPod(
    "H27",
    "listens where no privilege is needed",
    ({ containers }) =>
      containers.every((container) =>
        blocks(container["ports"]).every((port) => Number(port["containerPort"]) > 1024),
      ),
    {
      "port 80": ({ containers }) =>
        containers.forEach((each) => blocks(each["ports"]).forEach((port) => (port["containerPort"] = 80))),
    },
  ),
  {
    id: "H21",
    title: "every object says where it belongs, in names that Kubernetes takes",
    check: (manifests) => {
      const isName = (text: string, most: number): boolean =>
        text.length <= most && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text);
      const isLabel = (value: unknown): boolean =>
        typeof value === "string" && /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/.test(value);
      return complaints(
        manifests,
        (manifest) => {
          const most = ["Service", "Namespace"].includes(kindOf(manifest)) ? 63 : 253;
          const labels = entries(at(manifest.object, "metadata", "labels"));
          const isPlaced = kindOf(manifest) === "Namespace" || isName(namespaceOf(manifest), 63);
          return isPlaced && isName(nameOf(manifest), most) && labels.every(([, value]) => isLabel(value));
        },
        (manifest) => `${manifest.file}: ${nameOf(manifest)}`,
      );
    },
    breaks: {
      "no namespace": (manifests) =>
        manifests.forEach(({ object }) => delete (object["metadata"] as Block)["namespace"]),
      "an underscore": (manifests) =>
        manifests.forEach(({ object }) => ((object["metadata"] as Block)["name"] = "argo_cd")),
      "a long label": (manifests) =>
        manifests.forEach(({ object }) => ((object["metadata"] as Block)["labels"] = { a: "x".repeat(64) })),
    },
  },
  {
    id: "H20",
    title: "a namespace of ours takes restricted pods only",
    check: (manifests) =>
      complaints(
        ofKind(manifests, "Namespace"),
        ({ object }) =>
          ["enforce", "audit", "warn"].every((mode) => {
            const label = `pod-security.kubernetes.io/${mode}`;
            const labels = at(object, "metadata", "labels");
            return at(labels, label) === "restricted" && at(labels, `${label}-version`) !== undefined;
          }),
        ({ file }) => file,
      ),
    breaks: {
      baseline: (manifests) =>
        ofKind(manifests, "Namespace").forEach(({ object }) => {
          const labels = at(object, "metadata", "labels");
          if (isBlock(labels)) labels["pod-security.kubernetes.io/enforce"] = "baseline";
        }),
    },
  },
];
