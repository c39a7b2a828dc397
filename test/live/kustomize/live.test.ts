import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectClient } from "../../harness/emitted.ts";
import { installNodes } from "../../harness/nodes.ts";
import { matrix } from "../../manifests/matrix.ts";
import { mountPod, probe } from "../../manifests/mounted.ts";
import { at, blocks, entries, kindOf, manifestsIn, nameOf, ofKind, podsIn } from "../../manifests/object.ts";
import type { Manifest } from "../../manifests/object.ts";
import { rules } from "../../manifests/rules/all.ts";
import { exampleOutputs, outputOfText } from "../../manifests/stacks.ts";
import type { Output } from "../../manifests/stacks.ts";

const CACHE = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
const KUSTOMIZE = join(CACHE, "topogate/bin/kustomize");

let root: string;
let outputs: ReadonlyMap<string, Output>;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "topogate-kustomize-"));
  outputs = await exampleOutputs();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What the seal step leaves beside the rest: ciphertext that nobody here can open, and the annotation. */
const SEALED = `apiVersion: v1
kind: Secret
metadata: {name: NAME, namespace: SPACE}
stringData: {MCP_API_KEY: "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]"}
sops: {mac: "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]"}
`;
const PATCH = `apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: SPACE}
spec: {template: {metadata: {annotations: {checksum/credentials: "0000"}}}}
`;

function write(output: Output, name: string): string {
  const folder = join(root, name.replaceAll(/[^a-z0-9.]+/g, "-"));
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  for (const [path, { text }] of output.tree) put(path, text);
  if (output.topology.server.recipients.length > 0) {
    const deployments = ofKind(output.manifests, "Deployment").map(nameOf);
    const server = `${output.topology.stack}-mcp`;
    const space = output.topology.components.find((each) => each.name === "mcp")?.namespace ?? "";
    put("k8s/secret.sops.yaml", SEALED.replace("NAME", `${server}-credentials`).replace("SPACE", space));
    const patches = deployments.map((name) => PATCH.replace("NAME", name).replace("SPACE", space));
    if (patches.length > 0) put("k8s/credentials-checksum.yaml", patches.join("---\n"));
  }
  return folder;
}

function build(
  program: readonly string[],
  folder: string,
  path = process.env["PATH"] ?? "",
): readonly Manifest[] {
  const [command = "", ...args] = program;
  const run = spawnSync(command, [...args, folder], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
    env: { ...process.env, PATH: path, FAKE_KSOPS_SAW: join(root, "saw") },
  });
  if (run.status !== 0) throw new Error(run.stderr);
  expect(run.stderr).toBe("");
  return manifestsIn("built", run.stdout);
}

const kustomize = (folder: string): readonly Manifest[] => build([KUSTOMIZE, "build"], folder);

function mapNames(manifests: readonly Manifest[]): ReadonlySet<string> {
  return new Set(ofKind(manifests, "ConfigMap").map(nameOf));
}

/** ConfigMaps that a pod reads, by the names it knows them under. */
function readMaps(manifests: readonly Manifest[]): readonly string[] {
  return podsIn(manifests).flatMap(({ spec, containers }) => [
    ...containers.flatMap((each) =>
      blocks(each["envFrom"]).map((from) => String(at(from, "configMapRef", "name"))),
    ),
    ...blocks(spec["volumes"]).flatMap((volume) =>
      blocks(at(volume, "projected", "sources")).map((source) => String(at(source, "configMap", "name"))),
    ),
  ]);
}

function checkBuilt(manifests: readonly Manifest[]): void {
  const problems = rules.flatMap(({ id, check }) => check(manifests).map((problem) => `${id}: ${problem}`));
  expect(problems).toEqual([]);
  const names = mapNames(manifests);
  for (const name of readMaps(manifests)) {
    expect([...names]).toContain(name);
    expect(name).toMatch(/-[a-z0-9]{10}$/);
  }
  expect(new Set(readMaps(manifests)).size).toBe(names.size);
  for (const map of ofKind(manifests, "ConfigMap")) {
    const bytes = entries(map.object["data"]).reduce(
      (sum, [, value]) => sum + Buffer.byteLength(String(value)),
      0,
    );
    expect(bytes).toBeLessThan(1024 * 1024);
  }
}

describe("kustomize build of what is generated", () => {
  it.each(["hello", "shop", "shop.dev", "shop.prod", "sre", "sre.staging"])(
    "H29: %s alone gives everything, and nothing but what H1 to H30 let pass",
    (name) => {
      const output = outputs.get(name);
      if (output === undefined) throw new Error(`no output ${name}`);
      const built = kustomize(write(output, name));
      checkBuilt(built);
      expect(built.map(kindOf)).toEqual(
        expect.arrayContaining(["Deployment", "Service", "NetworkPolicy", "ServiceAccount"]),
      );
    },
  );

  it("H29: kubectl's own kustomize gives the same", () => {
    const output = outputs.get("shop");
    if (output === undefined) throw new Error("no output shop");
    const folder = write(output, "shop");
    const objects = (manifests: readonly Manifest[]): readonly string[] =>
      manifests.map(({ object }) => JSON.stringify(object)).sort();
    const here = spawnSync("kubectl", ["version", "--client"], { encoding: "utf8" });
    // Where kubectl is not installed, kustomize itself has shown the rest.
    if (here.status !== 0) return;
    expect(objects(build(["kubectl", "kustomize"], folder))).toEqual(objects(kustomize(folder)));
  });

  const drawings = matrix().filter(
    ({ name }) => name.includes("3 pods") && (!name.includes("argocd") || name.includes("external")),
  );
  it.each(drawings.map(({ name, text }) => [name, text] as const))("H29: %s", async (name, text) => {
    const output = await outputOfText(text);
    const built = kustomize(write(output, name));
    checkBuilt(built);
    const isFlux = output.topology.server.gitops === "flux";
    const isSealed = output.topology.server.recipients.length > 0;
    expect(ofKind(built, "Secret").length).toBe(isFlux && isSealed ? 1 : 0);
    const [pod] = podsIn(built);
    if (pod === undefined) return;
    const annotation = at(
      pod.owner.object,
      "spec",
      "template",
      "metadata",
      "annotations",
      "checksum/credentials",
    );
    expect(annotation).toBe(isSealed ? "0000" : undefined);
  });
});

describe("Argo CD's way to a sealed Secret", () => {
  /** KSOPS itself is published in no registry of Go modules that answers; the fake one shows how it is called. */
  const FAKE_KSOPS = `#!/bin/sh
cat > "$FAKE_KSOPS_SAW"
file=$(sed -n 's/^  - \\.\\/\\(.*\\)$/\\1/p' "$FAKE_KSOPS_SAW" | head -1)
printf 'apiVersion: config.kubernetes.io/v1\\nkind: ResourceList\\nitems:\\n'
sed -e '/^sops:/d' -e 's/^/  /' -e '1s/^ /-/' "$file"
`;

  it.each(
    matrix()
      .filter(({ name }) => name.includes("argocd · kubernetes · 3 pods · sealed"))
      .map(({ name, text }) => [name, text] as const),
  )("%s", async (name, text) => {
    const folder = write(await outputOfText(text), name);
    const bin = join(root, "bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, "ksops"), FAKE_KSOPS);
    chmodSync(join(bin, "ksops"), 0o755);
    process.env["FAKE_KSOPS_SAW"] = join(root, "saw");
    const program = [KUSTOMIZE, "build", "--enable-alpha-plugins", "--enable-exec"];
    const built = build(program, folder, `${bin}:${process.env["PATH"] ?? ""}`);
    expect(ofKind(built, "Secret").map(nameOf)).toEqual(["matrix-mcp-credentials"]);
  });
});

describe("names change when and only when the content does", () => {
  const DRAWING = `apiVersion: topology/v1
stack: stack
components: {valkey: {namespace: cache}, prometheus: {namespace: monitoring}}
links: {mcp: {stack_agent: read, valkey: read, prometheus: read}}
`;
  const namesOf = async (text: string, name: string): Promise<ReadonlySet<string>> =>
    mapNames(kustomize(write(await outputOfText(text), name)));

  it("H24: the same drawing, written another way, gives the same names", async () => {
    const other = DRAWING.replace(
      "{valkey: {namespace: cache}, prometheus: {namespace: monitoring}}",
      "\n  prometheus:\n    namespace: monitoring\n  valkey:\n    namespace: cache",
    );
    expect(await namesOf(other, "same-b")).toEqual(await namesOf(DRAWING, "same-a"));
  });

  it("H24: one link less changes the ConfigMaps that hold it, and no other", async () => {
    const before = await namesOf(DRAWING, "less-a");
    const after = await namesOf(DRAWING.replace(", prometheus: read", ""), "less-b");
    const gone = [...before]
      .filter((name) => !after.has(name))
      .map((name) => name.replace(/-[a-z0-9]{10}$/, ""));
    expect(gone.sort()).toEqual([
      "stack-agent-code",
      "stack-mcp-code",
      "stack-mcp-code-prompts",
      "stack-mcp-code-resources",
      "stack-mcp-code-runtime-prometheus",
      "stack-mcp-code-tools",
      "stack-mcp-config",
      "stack-mcp-policy",
    ]);
  });
});

describe("the code as Kubernetes mounts it, on the versions of Node that images have", () => {
  it.each(["node-22", "node-24"])(
    "P14: %s, with the libraries of the image and no others",
    async (version) => {
      const output = outputs.get("shop");
      const [pod] = podsIn(output?.manifests ?? []);
      const bin = installNodes().get(version);
      if (output === undefined || pod === undefined || bin === undefined) throw new Error("nothing to run");
      const mounted = mountPod(output, pod, join(bin, "node"), false);
      try {
        const running = await mounted.start({ MCP_PORT: "0", MCP_API_KEY_TEAM_ID: "sre" });
        expect(await probe(running.port, pod.containers[0]?.["readinessProbe"])).toBe(200);
        const url = new URL(`http://127.0.0.1:${running.port}/mcp`);
        const client = await connectClient({ url, key: running.variables["MCP_API_KEY"] ?? "" });
        expect((await client.listTools()).tools.length).toBeGreaterThan(10);
        await client.close();
        expect(await running.stop()).toBe(0);
      } finally {
        mounted.remove();
      }
    },
  );
});
