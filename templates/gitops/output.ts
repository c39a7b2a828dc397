import { defineOutput, factsOf } from "#hook";
import type { FileSpec, Topology } from "#hook";
import type serverAddressHook from "../../hooks/server-address.ts";

const HERE = "templates/gitops";
/** Nobody but the operator knows it: the samples name one that cannot exist. */
const REPOSITORY = "https://git.example.com/platform/fleet.git";
const BRANCH = "main";
/** Expressions of GitHub and of Argo CD, which no Handlebars may read. */
const WORKFLOW = {
  registry: "ghcr.io/${{ github.repository_owner }}",
  token: "${{ secrets.GITHUB_TOKEN }}",
};
const STACK = '{{ .path.basename | splitList "." | first | replace "_" "-" }}';
const SET = {
  name: `${STACK}-mcp`,
  namespace: STACK,
  path: "{{ .path.path }}",
};

/** Code owners are teams of an organisation; the drawing names the team. */
function teamOf({ owner }: Topology): string {
  const slug = (owner ?? "platform").toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return `@your-organisation/${slug.replace(/^-|-$/g, "") || "platform"}`;
}

/** What the image is made of: its tag is the digest of these files, as the manifests work it out. */
function partsOf({ server }: Topology): string {
  return server.delivery === "mcp-runtime"
    ? "$(find server -type f -not -path '*/node_modules/*' -not -name Dockerfile -not -name tsconfig.json)"
    : "server/Dockerfile server/package-lock.json";
}

interface Sample {
  readonly file: string;
  readonly does: string;
}

const SAMPLES: Readonly<Record<Topology["server"]["gitops"], readonly Sample[]>> = {
  none: [],
  flux: [
    {
      file: "flux-source.yaml",
      does: "where Flux reads, and whose signature the last commit must have",
    },
    { file: "flux-kustomization.yaml", does: "what Flux applies, and the age key that opens the Secret" },
  ],
  argocd: [
    {
      file: "argo-project.yaml",
      does: "where the stack may go, from where, and whose signature the commit must have",
    },
    { file: "argo-application.yaml", does: "the stack as one Application" },
    { file: "argo-applicationset.yaml", does: "in its place, one Application for each folder of out/" },
  ],
};

/** Samples to copy: nothing here is named in `kustomization.yaml`, so nothing is applied by accident. */
export default defineOutput({
  name: "gitops",
  files: (topology, facts) => {
    const { stack, environment, server, source } = topology;
    const { service, namespace } = factsOf<typeof serverAddressHook>(facts, "server-address");
    const folder = environment === null ? `out/${stack}` : `out/${stack}.${environment}`;
    const samples = SAMPLES[server.gitops];
    const view = {
      stack,
      service,
      namespace,
      source,
      folder,
      samples,
      hasSamples: samples.length > 0,
      isFlux: server.gitops === "flux",
      isArgo: server.gitops === "argocd",
      isSealed: server.recipients.length > 0,
      path: `./${folder}`,
      repository: REPOSITORY,
      branch: BRANCH,
      team: teamOf(topology),
      parts: partsOf(topology),
      watched:
        server.delivery === "mcp-runtime"
          ? [`${folder}/server/**`]
          : [`${folder}/server/Dockerfile`, `${folder}/server/package-lock.json`],
      set: SET,
      ...WORKFLOW,
      title: `image of ${service}`,
      every: environment === null ? "out/*" : `out/*.${environment}`,
      isBase: environment === null,
      isFromLock: server.delivery !== "mcp-runtime",
    };
    const sample = (file: string, template = `${file}.hbs`): FileSpec => ({
      kind: "rendered",
      path: `gitops/${file}`,
      from: `${HERE}/${template}`,
      view,
    });
    return [
      sample("README.md", "readme.md.hbs"),
      sample("CODEOWNERS"),
      sample("image.sh"),
      sample("image.yaml"),
      ...samples.map(({ file }) => sample(file)),
    ];
  },
});
