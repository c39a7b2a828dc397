import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { topologyOf, treeOf } from "../../test/harness/in-process.ts";

const RECIPIENT = "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq";

const drawn = (mcp: string): string => `apiVersion: topology/v1
stack: shop_front
owner: Team Orders
domain: example.com
components:
  traefik:
  valkey:
  mcp: {${mcp}}
links:
  traefik: {mcp: {auth: none}}
  mcp: {valkey: read}
`;

async function samplesOf(mcp: string): Promise<ReadonlyMap<string, string>> {
  const tree = await treeOf(drawn(mcp), "shop_front");
  const own = [...tree].filter(([path]) => path.startsWith("gitops/"));
  return new Map(own.map(([path, { text }]) => [path.slice("gitops/".length), text]));
}

type Schema = Readonly<Record<string, unknown>>;

/** Every key must be there and nothing else: a field that a controller does not know is dropped without a word. */
function closed(properties: Schema, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((key) => !optional.includes(key));
  return { type: "object", properties, required, additionalProperties: false };
}

const TEXT = { type: "string" };
const YES = { const: true };
const named = (spec: Schema, apiVersion: string, kind: string): Schema =>
  closed({
    apiVersion: { const: apiVersion },
    kind: { const: kind },
    metadata: closed({ name: TEXT, namespace: TEXT }),
    spec,
  });
const DURATION = { type: "string", pattern: "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$" };
const SECRET = closed({ name: TEXT });
const ARGO = "argoproj.io/v1alpha1";
const SOURCE = closed({ repoURL: TEXT, targetRevision: TEXT, path: TEXT });
const SYNC = closed({
  automated: closed({ prune: YES, selfHeal: YES }),
  syncOptions: { type: "array", items: { enum: ["ServerSideApply=true"] } },
});
const APPLICATION = closed({
  project: TEXT,
  source: SOURCE,
  destination: closed({ server: TEXT, namespace: TEXT }),
  syncPolicy: SYNC,
});
const list = (items: Schema): Schema => ({ type: "array", items, minItems: 1 });

/** As the definitions of Flux 1.10 and Argo CD 3.6 have them, as far as the samples use them. */
const SCHEMAS: Readonly<Record<string, Schema>> = {
  "flux-source.yaml": named(
    closed({
      interval: DURATION,
      url: { type: "string", pattern: "^(http|https|ssh)://.*$" },
      ref: closed({ branch: TEXT }),
      verify: closed({ mode: { enum: ["head", "HEAD", "Tag", "TagAndHEAD"] }, secretRef: SECRET }),
    }),
    "source.toolkit.fluxcd.io/v1",
    "GitRepository",
  ),
  "flux-kustomization.yaml": named(
    closed(
      {
        interval: DURATION,
        retryInterval: DURATION,
        timeout: DURATION,
        path: { type: "string", pattern: "^\\./out/" },
        prune: YES,
        wait: YES,
        sourceRef: closed({ kind: { const: "GitRepository" }, name: TEXT }),
        decryption: closed({ provider: { const: "sops" }, secretRef: SECRET }),
      },
      ["decryption"],
    ),
    "kustomize.toolkit.fluxcd.io/v1",
    "Kustomization",
  ),
  "argo-project.yaml": named(
    closed({
      description: { type: "string", maxLength: 255 },
      sourceRepos: list(TEXT),
      destinations: list(closed({ server: TEXT, namespace: TEXT })),
      clusterResourceWhitelist: list(closed({ group: TEXT, kind: { const: "Namespace" } })),
      signatureKeys: list(closed({ keyID: { type: "string", pattern: "^[0-9A-F]{16}$" } })),
    }),
    ARGO,
    "AppProject",
  ),
  "argo-application.yaml": named(APPLICATION, ARGO, "Application"),
  "argo-applicationset.yaml": named(
    closed({
      goTemplate: YES,
      goTemplateOptions: list(TEXT),
      generators: list(
        closed({
          git: closed({
            repoURL: TEXT,
            revision: TEXT,
            directories: list(closed({ path: TEXT, exclude: YES }, ["exclude"])),
          }),
        }),
      ),
      template: closed({ metadata: closed({ name: TEXT }), spec: APPLICATION }),
    }),
    ARGO,
    "ApplicationSet",
  ),
};

const COMMON = ["CODEOWNERS", "README.md", "image.sh", "image.yaml"];

describe("samples of the drawn mode", () => {
  it.each([
    ["none", []],
    ["flux", ["flux-kustomization.yaml", "flux-source.yaml"]],
    ["argocd", ["argo-application.yaml", "argo-applicationset.yaml", "argo-project.yaml"]],
  ])("gitops: %s has its own and no other, each of its controller's shape", async (mode, own) => {
    const samples = await samplesOf(`gitops: ${mode}, recipients: [${RECIPIENT}]`);
    expect([...samples.keys()].sort()).toEqual([...COMMON, ...own].sort());
    const ajv = new Ajv2020({ allErrors: true });
    for (const file of own) {
      const isValid = ajv.validate(SCHEMAS[file] ?? false, parse(samples.get(file) ?? ""));
      expect(isValid, `${file}: ${ajv.errorsText()}`).toBe(true);
    }
    for (const other of ["flux", "argo"].filter((name) => !mode.startsWith(name)))
      expect(samples.get("README.md")?.toLowerCase()).not.toContain(other);
  });

  it("Flux gets an age key only where something is sealed", async () => {
    expect((await samplesOf("gitops: flux")).get("flux-kustomization.yaml")).not.toContain("decryption");
    const sealed = (await samplesOf(`gitops: flux, recipients: [${RECIPIENT}]`)).get(
      "flux-kustomization.yaml",
    );
    expect(parse(sealed ?? "")).toMatchObject({
      metadata: { name: "shop-front-mcp" },
      spec: { path: "./out/shop_front", decryption: { secretRef: { name: "sops-age" } } },
    });
  });

  it("no name of theirs is one that kustomize reads by itself", async () => {
    for (const mode of ["none", "flux", "argocd"])
      for (const file of (await samplesOf(`gitops: ${mode}`)).keys())
        expect(file).not.toMatch(/^(kustomization\.ya?ml|Kustomization)$/);
  });

  it("code owners are of the team that is drawn, and sealed files are somebody else's too", async () => {
    const lines = (await samplesOf("framework: sdk")).get("CODEOWNERS")?.split("\n") ?? [];
    expect(lines).toContain("/out/shop_front/ @your-organisation/team-orders");
    expect(lines).toContain("/out/shop_front/**/*.sops.* @your-organisation/security");
  });
});

describe("A14: the image", () => {
  const folders: string[] = [];
  afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

  const DIGEST = `sha256:${"5".repeat(64)}`;
  /** A registry in a folder; `broken` makes it one that cannot be asked. */
  const FAKE_DOCKER = `#!/usr/bin/env bash
echo "$*" >>"$STATE/calls"
case "$2" in
  imagetools)
    [ -e "$STATE/broken" ] && { echo "dial tcp: connection refused" >&2; exit 1; }
    [ -e "$STATE/$(basename "$4" | tr : _)" ] || { echo "ERROR: $4: not found" >&2; exit 1; }
    [ $# -gt 4 ] && echo "${DIGEST}" ;;
  build) while [ "$1" != --tag ]; do shift; done; touch "$STATE/$(basename "$2" | tr : _)" ;;
esac
exit 0
`;

  interface Workplace {
    readonly folder: string;
    run(): { readonly status: number | null; readonly stdout: string; readonly stderr: string };
    calls(): readonly string[];
  }

  async function workplace(mcp: string): Promise<Workplace> {
    const folder = mkdtempSync(join(tmpdir(), "topogate-image-"));
    folders.push(folder);
    for (const [path, { text }] of await treeOf(drawn(mcp), "shop_front")) {
      if (!/^(gitops|server)\//.test(path)) continue;
      mkdirSync(join(folder, "out", dirname(path)), { recursive: true });
      writeFileSync(join(folder, "out", path), text);
    }
    const state = join(folder, "fake-docker");
    mkdirSync(state);
    writeFileSync(join(state, "docker"), FAKE_DOCKER);
    chmodSync(join(state, "docker"), 0o755);
    const env = {
      ...process.env,
      PATH: `${state}:${process.env["PATH"] ?? ""}`,
      STATE: state,
      REGISTRY: "registry.example.com/team",
    };
    return {
      folder,
      run: () => spawnSync("bash", ["out/gitops/image.sh"], { cwd: folder, env, encoding: "utf8" }),
      calls: () =>
        existsSync(join(state, "calls")) ? readFileSync(join(state, "calls"), "utf8").trim().split("\n") : [],
    };
  }

  /** As the pod has it. */
  const tagOf = async (mcp: string): Promise<string> => {
    const text = [...(await treeOf(drawn(mcp), "shop_front"))]
      .filter(([path]) => path.startsWith("k8s/"))
      .map(([, file]) => file.text)
      .join("");
    return /image: (?:")?shop-front-mcp:([0-9a-f]{12})/.exec(text)?.[1] ?? "";
  };

  const builds = ({ calls }: Workplace): number =>
    calls().filter((call) => call.startsWith("buildx build")).length;
  const bills = ({ folder }: Workplace): readonly string[] =>
    readdirSync(folder).filter((name) => name.endsWith(".cdx.json"));

  it("is built once for one lock file, with a bill of materials, and its digest can be drawn", async () => {
    const place = await workplace("framework: sdk");
    const first = place.run();
    expect(first.status, first.stderr).toBe(0);
    expect(first.stdout).toBe(`registry.example.com/team/shop-front-mcp@${DIGEST}\n`);
    const build = place.calls().find((call) => call.startsWith("buildx build")) ?? "";
    const tag = await tagOf("framework: sdk");
    expect(build).toBe(
      `buildx build --push --sbom=true --provenance=mode=max --tag registry.example.com/team/shop-front-mcp:${tag} server`,
    );
    const [bill = ""] = bills(place);
    const { bomFormat, components } = JSON.parse(readFileSync(join(place.folder, bill), "utf8")) as {
      bomFormat: string;
      components: readonly { name: string; version: string }[];
    };
    expect(bomFormat).toBe("CycloneDX");
    expect(components.map(({ name }) => name)).toContain("ioredis");
    expect(components.map(({ name }) => name)).not.toContain("tsx");

    writeFileSync(join(place.folder, "out/server/registry.ts"), "// another tool");
    expect(place.run().stdout).toBe(first.stdout);
    expect(builds(place)).toBe(1);
    const pinned = await topologyOf(drawn(`image: "${first.stdout.trim()}"`), "shop_front");
    expect(pinned.server.image).toBe(first.stdout.trim());
  });

  it("is built under the tag that the manifests name, also where it holds the code", async () => {
    const place = await workplace("delivery: mcp-runtime");
    expect(place.run().status).toBe(0);
    expect(place.calls().find((call) => call.startsWith("buildx build"))).toContain(
      `shop-front-mcp:${await tagOf("delivery: mcp-runtime")} server`,
    );
  });

  it("is built again for another library", async () => {
    const place = await workplace("framework: sdk");
    place.run();
    const lock = join(place.folder, "out/server/package-lock.json");
    writeFileSync(lock, readFileSync(lock, "utf8").replace('"ioredis": "', '"ioredis":  "'));
    place.run();
    expect([builds(place), bills(place).length]).toEqual([2, 2]);
  });

  it("is built for changed code where it holds the code", async () => {
    const place = await workplace("delivery: mcp-runtime");
    place.run();
    writeFileSync(join(place.folder, "out/server/registry.ts"), "// another tool");
    expect(place.run().status).toBe(0);
    expect(builds(place)).toBe(2);
  });

  it("is not built when the registry cannot be asked", async () => {
    const place = await workplace("framework: sdk");
    writeFileSync(join(place.folder, "fake-docker/broken"), "");
    const { status, stderr, stdout } = place.run();
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("connection refused");
    expect(builds(place)).toBe(0);
  });

  it("the workflow runs that script, pins what it uses, and keeps the token out of arguments", async () => {
    const text = (await samplesOf("framework: sdk")).get("image.yaml") ?? "";
    const workflow = parse(text) as {
      on: { push: { paths: readonly string[] } };
      permissions: object;
      jobs: { image: { steps: readonly { uses?: string; run?: string }[] } };
    };
    expect(workflow.on.push.paths).toEqual([
      "out/shop_front/server/Dockerfile",
      "out/shop_front/server/package-lock.json",
    ]);
    expect(workflow.permissions).toEqual({});
    const { steps } = workflow.jobs.image;
    for (const { uses } of steps) if (uses !== undefined) expect(uses).toMatch(/@[0-9a-f]{40}$/);
    const scripts = steps.flatMap(({ run }) => run ?? []);
    expect(scripts.join("\n")).toContain("bash out/shop_front/gitops/image.sh");
    expect(scripts.join("\n")).not.toContain("${{");
  });
});
