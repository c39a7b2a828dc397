/** The Pod Security Standard `restricted`, and what linters ask for beyond it. */
import { at, blocks, isBlock, podsIn, texts } from "../object.ts";
import type { Block, Manifest, Pod } from "../object.ts";
import { complaints } from "../rule.ts";
import type { Rule } from "../rule.ts";

interface Container {
  readonly pod: Pod;
  readonly container: Block;
}

function containersIn(manifests: readonly Manifest[]): readonly Container[] {
  return podsIn(manifests).flatMap((pod) => pod.containers.map((container) => ({ pod, container })));
}

function nameOf({ pod, container }: Container): string {
  return `${pod.owner.file}: container ${String(container["name"])}`;
}

/** A rule about each container alone. */
function perContainer(
  id: string,
  title: string,
  isFine: (container: Block, pod: Pod) => boolean,
  breaks: Readonly<Record<string, (container: Block, pod: Pod) => void>>,
): Rule {
  return {
    id,
    title,
    check: (manifests) =>
      complaints(containersIn(manifests), ({ container, pod }) => isFine(container, pod), nameOf),
    breaks: Object.fromEntries(
      Object.entries(breaks).map(([how, change]) => [
        how,
        (manifests: readonly Manifest[]) => {
          for (const { container, pod } of containersIn(manifests)) change(container, pod);
        },
      ]),
    ),
  };
}

function security(container: Block): Block {
  const context = container["securityContext"];
  return isBlock(context) ? context : {};
}

function podSecurity({ spec }: Pod): Block {
  const context = spec["securityContext"];
  return isBlock(context) ? context : {};
}

const VOLUMES = [
  "configMap",
  "secret",
  "emptyDir",
  "projected",
  "downwardAPI",
  "csi",
  "ephemeral",
  "persistentVolumeClaim",
];
const AMOUNTS = ["cpu", "memory", "ephemeral-storage"];
const LOWEST_USER = 10_001;

export const podSecurityRules: readonly Rule[] = [
  perContainer(
    "H1",
    "runs as an account that is no host's",
    (container, pod) => {
      const context = { ...podSecurity(pod), ...security(container) };
      const isHigh = (id: unknown): boolean => typeof id === "number" && id >= LOWEST_USER;
      return (
        context["runAsNonRoot"] === true && isHigh(context["runAsUser"]) && isHigh(context["runAsGroup"])
      );
    },
    {
      "root allowed": (_, pod) => void delete podSecurity(pod)["runAsNonRoot"],
      "a low user": (_, pod) => void (podSecurity(pod)["runAsUser"] = 1000),
      "a container's own root": (container) => void (security(container)["runAsUser"] = 0),
    },
  ),
  perContainer(
    "H2",
    "gains no rights",
    (container) =>
      security(container)["allowPrivilegeEscalation"] === false &&
      security(container)["privileged"] === false,
    {
      escalation: (container) => void delete security(container)["allowPrivilegeEscalation"],
      privileged: (container) => void (security(container)["privileged"] = true),
    },
  ),
  perContainer(
    "H3",
    "keeps no capability",
    (container) => {
      const capabilities = security(container)["capabilities"];
      return texts(at(capabilities, "drop")).includes("ALL") && at(capabilities, "add") === undefined;
    },
    {
      "none dropped": (container) => void delete security(container)["capabilities"],
      "one added": (container) =>
        void (security(container)["capabilities"] = { drop: ["ALL"], add: ["NET_BIND_SERVICE"] }),
    },
  ),
  perContainer(
    "H4",
    "calls what the runtime's seccomp profile lets it",
    (container, pod) =>
      at({ ...podSecurity(pod), ...security(container) }, "seccompProfile", "type") === "RuntimeDefault",
    { unconfined: (_, pod) => void (podSecurity(pod)["seccompProfile"] = { type: "Unconfined" }) },
  ),
  perContainer(
    "H5",
    "writes to /tmp only, and not without end",
    (container, pod) => {
      const tmp = blocks(container["volumeMounts"]).find((mount) => mount["mountPath"] === "/tmp");
      const volume = blocks(pod.spec["volumes"]).find(({ name }) => name === tmp?.["name"]);
      const rest = blocks(container["volumeMounts"]).filter((mount) => mount !== tmp);
      return (
        security(container)["readOnlyRootFilesystem"] === true &&
        at(volume, "emptyDir", "sizeLimit") !== undefined &&
        rest.every((mount) => mount["readOnly"] === true)
      );
    },
    {
      "a root that can be written": (container) =>
        void (security(container)["readOnlyRootFilesystem"] = false),
      "no limit": (_, pod) =>
        blocks(pod.spec["volumes"]).forEach(
          (volume) => isBlock(volume["emptyDir"]) && (volume["emptyDir"] = {}),
        ),
      "code that can be written": (container) =>
        blocks(container["volumeMounts"]).forEach((mount) => delete mount["readOnly"]),
    },
  ),
  perContainer(
    "H6",
    "mounts nothing of the host",
    (_, pod) =>
      blocks(pod.spec["volumes"]).every((volume) =>
        Object.keys(volume).every((key) => key === "name" || VOLUMES.includes(key)),
      ),
    {
      hostPath: (_, pod) =>
        void (pod.spec["volumes"] = [...blocks(pod.spec["volumes"]), { name: "x", hostPath: { path: "/" } }]),
    },
  ),
  perContainer(
    "H7",
    "shares nothing with the host",
    (container, pod) =>
      ["hostNetwork", "hostPID", "hostIPC"].every((key) => pod.spec[key] !== true) &&
      blocks(container["ports"]).every((port) => port["hostPort"] === undefined) &&
      podSecurity(pod)["sysctls"] === undefined &&
      security(container)["procMount"] === undefined,
    {
      "its network": (_, pod) => void (pod.spec["hostNetwork"] = true),
      "its processes": (_, pod) => void (pod.spec["hostPID"] = true),
      "its ports": (container) => blocks(container["ports"]).forEach((port) => (port["hostPort"] = 8080)),
      "its kernel's settings": (_, pod) => void (podSecurity(pod)["sysctls"] = [{ name: "a", value: "b" }]),
    },
  ),
  perContainer(
    "H9",
    "asks for what it needs and is held to what it may use",
    (container) =>
      ["requests", "limits"].every((kind) =>
        AMOUNTS.every((amount) => typeof at(container, "resources", kind, amount) === "string"),
      ),
    {
      "no limits": (container) =>
        void (container["resources"] = { requests: at(container, "resources", "requests") }),
      "no disk": (container) =>
        void delete (at(container, "resources", "limits") as Block)["ephemeral-storage"],
    },
  ),
];
