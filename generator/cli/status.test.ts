import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { ROOT } from "../../test/harness/emitted.ts";
import { statusOf } from "./status.ts";

interface Manifest {
  kind: string;
  metadata: Record<string, unknown>;
  spec: Record<string, unknown>;
  status?: unknown;
}

const K8S = join(ROOT, "out/shop/k8s");
const drawn = readdirSync(K8S)
  .filter((name) => name.endsWith(".yaml") && !name.includes(".sops."))
  .flatMap((name) => parseAllDocuments(readFileSync(join(K8S, name), "utf8")))
  .map((document) => document.toJS() as Manifest);

interface Template {
  metadata: { annotations: Record<string, string> };
}
const annotationsOf = (object: Manifest): Record<string, string> =>
  (object.spec["template"] as Template).metadata.annotations;

/** As kustomize joins them: a Deployment without replicas is a patch of the other one. */
function joined(): Manifest[] {
  const objects = structuredClone(drawn);
  const isPatch = ({ kind, spec }: Manifest): boolean =>
    kind === "Deployment" && spec["replicas"] === undefined;
  for (const patch of objects.filter(isPatch)) {
    const whole = objects.find(
      (each) =>
        !isPatch(each) && each.kind === patch.kind && each.metadata["name"] === patch.metadata["name"],
    );
    if (whole !== undefined) Object.assign(annotationsOf(whole), annotationsOf(patch));
  }
  return objects.filter((each) => !isPatch(each));
}

/** The same objects, as a cluster has them when all is well. */
function cluster(): Manifest[] {
  return joined().map((object) => {
    if (object.kind === "Deployment") {
      const replicas = object.spec["replicas"];
      object.metadata["generation"] = 3;
      object.status = { observedGeneration: 3, updatedReplicas: replicas, availableReplicas: replicas };
    }
    if (object.kind === "ApisixRoute")
      object.status = { conditions: [{ type: "ResourcesAvailable", status: "True" }] };
    return object;
  });
}

function edited(kind: string, edit: (object: Manifest) => void): Manifest[] {
  const objects = cluster();
  const found = objects.find((object) => object.kind === kind);
  if (found === undefined) throw new Error(`no ${kind} in the output`);
  edit(found);
  return objects;
}

describe("R13: the status of an output in a cluster", () => {
  it("is Ready when everything is there", () => {
    expect(statusOf(drawn, cluster(), true)).toMatchObject({
      phase: "Ready",
      conditions: { deploymentReady: true, serviceReady: true, ingressReady: true, policyReady: true },
    });
  });

  it("is Pending without pods, and says which", () => {
    expect(statusOf(drawn, [], true).phase).toBe("Pending");
    const half = edited("Deployment", (object) => {
      object.status = { observedGeneration: 3, updatedReplicas: 1, availableReplicas: 0 };
    });
    expect(statusOf(drawn, half, true)).toMatchObject({ phase: "Pending" });
    expect(statusOf(drawn, half, true).message).toMatch(/^Deployment\/.* 0 of 1 pods are ready$/);
    const old = edited("Deployment", (object) => {
      annotationsOf(object)["checksum/code"] = "0";
    });
    expect(statusOf(drawn, old, true).message).toContain(
      "runs another version of this output (checksum/code)",
    );
  });

  it("is PartiallyReady without a route, a rule or a Service that leads there", () => {
    const routeless = edited("ApisixRoute", (object) => delete object.status);
    expect(statusOf(drawn, routeless, true)).toMatchObject({
      phase: "PartiallyReady",
      conditions: { ingressReady: false },
    });
    expect(statusOf(drawn, routeless, false).phase).toBe("Ready");
    const open = cluster().filter(({ kind }) => kind !== "NetworkPolicy");
    expect(statusOf(drawn, open, true)).toMatchObject({
      phase: "PartiallyReady",
      conditions: { policyReady: false },
    });
    const elsewhere = edited("Service", (object) => (object.spec["selector"] = { app: "other" }));
    expect(statusOf(drawn, elsewhere, true).message).toContain("leads to other pods");
  });

  it("reads what kubectl prints, and says so when it is something else", () => {
    const run = (
      input: string,
      ...more: string[]
    ): { status: number | null; stdout: string; stderr: string } =>
      spawnSync(process.execPath, [join(ROOT, "dist/topogate.cjs"), "status", "shop", ...more], {
        cwd: ROOT,
        input,
        encoding: "utf8",
      });
    const list = JSON.stringify({ kind: "List", items: cluster() });
    expect(run(list)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^shop: Ready/) as string });
    expect(JSON.parse(run('{"items":[]}', "--json").stdout)).toMatchObject({ phase: "Pending" });
    expect(run("hello")).toMatchObject({ status: 2 });
    expect(run(list, "--ingress-readiness", "maybe").stderr).toContain("strict or permissive");
  });
});
