/** What lives in the Argo CD of a live suite: two projects, two applications, and a repository for both. */
import { commit } from "./live.ts";
import type { RealArgo } from "./live.ts";

export const project = (name: string, more: object = {}): object => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "AppProject",
  metadata: { name, namespace: "argocd" },
  spec: {
    sourceRepos: ["*"],
    destinations: [{ namespace: "*", server: "*" }],
    clusterResourceWhitelist: [{ group: "*", kind: "*" }],
    ...more,
  },
});

const repositoryOf = ({ server }: RealArgo): string => `file://${server.folder}/git/shop`;

export const application = (
  argo: RealArgo,
  name: string,
  of: string,
  path: string,
  more: object = {},
): object => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Application",
  metadata: { name, namespace: "argocd" },
  spec: {
    project: of,
    source: { repoURL: repositoryOf(argo), path, targetRevision: "main" },
    destination: { server: "https://kubernetes.default.svc", namespace: "app" },
  },
  ...more,
});

export function apply({ kubectl }: RealArgo, objects: readonly object[]): void {
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  kubectl(["apply", "--server-side", "-f", "-"], list);
}

export const manifest = (version: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {version: "${version}"}
---
apiVersion: v1
kind: Secret
metadata: {name: database}
stringData: {password: hunter2-hunter2}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "registry.example.com/web:${version}"}]}}
`;

/** `shop` can be synced, `shop-infra` is broken and its project's window is closed; returns the first commit. */
export function seed(argo: RealArgo): string {
  argo.kubectl(["create", "namespace", "app"]);
  const broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [\n";
  const first = commit(argo, { "shop/all.yaml": manifest("1"), "infra/broken.yaml": broken }, "first");
  apply(argo, [
    project("default"),
    project("platform", {
      description: "what carries the rest",
      sourceRepos: [repositoryOf(argo), "https://user:geheim-geheim@git.example.com/x"],
      syncWindows: [{ kind: "deny", schedule: "0 0 1 1 *", duration: "1h", applications: ["*"] }],
    }),
  ]);
  apply(argo, [
    application(argo, "shop", "default", "shop"),
    application(argo, "shop-infra", "platform", "infra"),
  ]);
  return first;
}
