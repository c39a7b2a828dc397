import { beforeAll, describe, expect, it } from "vitest";
import { readSealedNames } from "../generator/seal/open.ts";
import { catalog, sealedTreeOf } from "./harness/in-process.ts";
import { keyPair } from "./harness/sealing.ts";
import type { FileTree } from "../generator/tree/file-tree.ts";

/** A stack in which the type is drawn, with and without a link from `mcp`; a second service stays linked. */
function drawing(type: string, link: string): string {
  const scope = catalog.types.get(type)?.tools?.scope;
  const subs = scope === undefined ? "" : `${scope}: [one, two]`;
  // What runs in no pod is only to be found by its addresses.
  const isPod = Object.keys(catalog.types.get(type)?.podLabels ?? { any: "pod" }).length > 0;
  const place = isPod ? "" : "cidr: 192.0.2.1/32, ";
  const other = type === "prometheus" ? "valkey" : "prometheus";
  return `apiVersion: topology/v1
stack: stack
components:
${catalog.types.get(type)?.builtin === undefined ? `  ${type}: {namespace: subject, ${place}${subs}}` : ""}
  neighbour: {type: ${other}, namespace: beside}
links:
  mcp: {neighbour: read${link}}
`;
}

interface Surface {
  readonly tools: readonly { readonly name: string; readonly link: string }[];
  readonly credentials: readonly string[];
  readonly egress: readonly string[];
  readonly flags: Readonly<Record<string, boolean>>;
}

const text = (tree: FileTree, path: string): string => tree.get(path)?.text ?? "";
const surface = (tree: FileTree): Surface => JSON.parse(text(tree, "server/surface.lock.json")) as Surface;
const dependencies = (tree: FileTree): readonly string[] =>
  Object.keys(
    (JSON.parse(text(tree, "server/package.json")) as { dependencies: Record<string, string> }).dependencies,
  );

/** Files that may differ between a drawing with the link and the same drawing without it. */
const CONSEQUENCES =
  /^(server\/(tools|runtime|prompts|resources)\/|credentials\/cloud\.sops\.env$|k8s\/(secret\.sops|credentials-checksum)\.yaml$|server\/(registry\.ts|Dockerfile|surface\.lock\.json|policy\.json|package(-lock)?\.json|topology\.json|commands\.json)$|agent\/|k8s\/(configmap|deployment|networkpolicy|rbac|service|serviceaccount)\.yaml$|kustomization\.yaml$|principals\/|clients\/|governance\/|docs\/|README\.md$)/;

/** Of every server, whatever is linked, although it starts like a variable of the agent's link. */
const KILL_SWITCH = "MCP_AGENT_DISPATCH_ENABLED";

const SEALED = [
  ["credentials/cloud.sops.env", "dotenv"],
  ["k8s/secret.sops.yaml", "secret"],
] as const;

const types = [...catalog.types.values()].filter(({ mcp }) => mcp === "tools");

describe("S1: the invariant: all consequences of a link come with it and go with it", () => {
  let recipient: string;
  beforeAll(async () => {
    ({ recipient } = await keyPair());
  });

  it("covers every type that has tools", () => {
    expect(types.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["cnpg", "postgresql", "prometheus", "stack_agent", "valkey"]),
    );
  });

  it.each(types.map((type) => [type.type, type] as const))("%s", async (name, type) => {
    const canWrite = (catalog.modules.get(name)?.tools ?? []).some(({ effect }) => effect !== "read");
    const linked = await sealedTreeOf(drawing(name, `, ${name}: ${canWrite ? "write" : "read"}`), [
      recipient,
    ]);
    const unlinked = await sealedTreeOf(drawing(name, ""), [recipient]);
    const prefix = `MCP_${type.tools?.service ?? ""}`;
    const id = `mcp->${name}`;

    // 1. one tool module
    const modules = (tree: FileTree): readonly string[] =>
      [...tree.keys()].filter((path) => path.startsWith("server/tools/"));
    expect(modules(linked)).toEqual([`server/tools/${name}.ts`, "server/tools/neighbour.ts"].sort());
    expect(modules(unlinked)).toEqual(["server/tools/neighbour.ts"]);

    // 2. credentials of this link's account, and only of it
    const own = (tree: FileTree): readonly string[] =>
      surface(tree).credentials.filter((variable) => variable.startsWith(`${prefix}_`));
    const declared = new Set(own(linked));
    // Tools that stay in the server need neither an account nor a way to it.
    const isInside = type.host === null;
    expect(declared.size > 0).toBe(!isInside);
    expect(own(unlinked)).toEqual([]);
    for (const tree of [linked, unlinked])
      for (const [path, format] of SEALED)
        expect(readSealedNames(path, text(tree, path), format).names).toEqual(surface(tree).credentials);

    // 3. one write flag, when the type can write
    const flag = `${prefix}_WRITE_ACCESS`;
    expect(surface(linked).flags[flag]).toBe(canWrite ? true : undefined);
    expect(text(linked, "k8s/configmap.yaml").includes(`"${flag}": "true"`)).toBe(canWrite);
    expect(text(unlinked, "k8s/configmap.yaml")).not.toContain(prefix);

    // 4. egress to its pods
    expect(surface(linked).egress.length > surface(unlinked).egress.length).toBe(!isInside);
    expect(text(linked, "k8s/networkpolicy.yaml").includes(`# ${id}\n`)).toBe(!isInside);
    expect(text(unlinked, "k8s/networkpolicy.yaml")).not.toContain("subject");
    expect(text(unlinked, "k8s/deployment.yaml")).not.toContain(`${prefix}_`);

    // 5. an account on the service
    const principals = (tree: FileTree): number =>
      [...tree.keys()].filter((path) => path.startsWith(`principals/${name}/`)).length;
    expect(principals(linked) > 0).toBe(type.builtin === undefined);
    expect(principals(unlinked)).toBe(0);

    // 6. pins in the lock
    expect(surface(linked).tools.some(({ link }) => link === id)).toBe(true);
    expect(surface(unlinked).tools.some(({ link }) => link === id)).toBe(false);

    // and rows in the policy
    const rows = (tree: FileTree): readonly string[] =>
      (JSON.parse(text(tree, "governance/policy.json")) as { tools: { name: string }[] }).tools.map(
        ({ name: tool }) => tool,
      );
    for (const tree of [linked, unlinked])
      expect(rows(tree)).toEqual(surface(tree).tools.map(({ name: tool }) => tool));

    // 7. the client library
    for (const library of type.tools?.libraries ?? []) {
      expect(dependencies(linked)).toContain(library);
      expect(dependencies(unlinked)).not.toContain(library);
    }

    // 8. what people read
    for (const path of ["docs/ACCESS.md", "docs/TOOLS.md"]) {
      expect(text(linked, path)).toContain(`${name}: `);
      expect(text(unlinked, path)).not.toContain(`${name}: `);
    }
    expect(text(linked, "docs/topology.mmd")).not.toBe(text(unlinked, "docs/topology.mmd"));

    // and nothing else changes
    const changed = [...new Set([...linked.keys(), ...unlinked.keys()])].filter(
      (path) => text(linked, path) !== text(unlinked, path),
    );
    expect(changed.filter((path) => !CONSEQUENCES.test(path))).toEqual([]);

    // no trace of it is left where the drawing itself is not shown
    for (const [path, file] of unlinked) {
      if (!/^(docs|governance|server\/topology)/.test(path))
        expect(file.text.replaceAll(KILL_SWITCH, ""), path).not.toContain(`${prefix}_`);
    }
  });
});
