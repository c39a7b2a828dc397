/** A21: what the code reads, the manifests give, and the other way round. */
import { beforeAll, describe, expect, it } from "vitest";
import { variablesOf } from "./mounted.ts";
import { at, blocks, kindOf, ofKind, podsIn } from "./object.ts";
import type { Block, Pod } from "./object.ts";
import { exampleOutputs } from "./stacks.ts";
import type { Output } from "./stacks.ts";

/** Variables of the runtime that an operator may set; a pod does well without them. */
const OPTIONAL = new Set([
  "MCP_APPROVALS_PORT",
  "MCP_APPROVAL_MODE",
  "MCP_AUDIT_ANCHOR_EVERY",
  "MCP_AUDIT_FILE",
  "MCP_AUDIT_KEY_FILE",
  "MCP_AUDIT_MAX_BYTES",
  "MCP_BUNDLE_FILE",
  "MCP_BUNDLE_KEY_FILE",
  "MCP_APPROVAL_TWO_PERSON",
  "MCP_APPROVAL_PAGE_URL",
  "MCP_APPROVAL_WEBHOOK_SECRET_FILE",
  "MCP_APPROVAL_WEBHOOK_URL",
  "MCP_ADMIN_API_KEY",
  // For one process by itself, on a workstation: pods share what is drawn.
  "MCP_REPLICA_STATE",
  // Only where replicas share state; without it one process seals by itself.
  "MCP_REPLICA_STATE_PASSWORD",
  // Whom the one key stands for.
  "MCP_API_KEY_AGENT_ID",
  "MCP_API_KEY_HUMAN_ID",
  "MCP_API_KEY_TEAM_ID",
  "MCP_AGENT_DISPATCH_ENABLED",
  "MCP_GATEWAY_ENABLED",
  "MCP_RATE_LIMIT_BURST",
  "MCP_RATE_LIMIT_GLOBAL_PER_MIN",
  "MCP_RATE_LIMIT_READ_PER_MIN",
  "MCP_RATE_LIMIT_WRITE_PER_MIN",
  "MCP_MAX_RESULT_BYTES",
  // Only with a link from what reads metrics.
  "MCP_METRICS_PORT",
  // For a workstation, where nobody sends a key.
  "MCP_STDIO_AGENT_ID",
  "MCP_STDIO_HUMAN_ID",
  "MCP_STDIO_ROLE",
  "MCP_STDIO_TEAM_ID",
  // Only with a route that pages of other hosts use.
  "MCP_ALLOWED_ORIGINS",
  // Of the agent: names beside those that it has in the drawing.
  "AGENT_ALLOWED_HOSTS",
]);

function sources({ tree }: Output, folder: string): readonly (readonly [string, string])[] {
  return [...tree]
    .filter(([path]) => path.startsWith(`${folder}/`) && /\.(ts|mjs)$/.test(path))
    .map(([path, { text }]) => [path, text]);
}

/** Names that the code reads from its environment as they stand: "MCP_BIND". */
function literalNames(output: Output, folder: string): ReadonlySet<string> {
  const found = sources(output, folder).flatMap(([, text]) =>
    [
      ...text.matchAll(/(?:environment\[|env\[|(?:Setting|takeKey)\(\s*environment,\s*)"([A-Z][A-Z0-9_]+)"/g),
    ].map(([, name]) => name ?? ""),
  );
  return new Set(found.filter((name) => /^(MCP|AGENT)_/.test(name)));
}

/** Names below a link's prefix that its code reads: settings.text("HOST"), settings.secret("PASSWORD"). */
function suffixes(output: Output): ReadonlySet<string> {
  const found = sources(output, "server").flatMap(([, text]) =>
    [...text.matchAll(/\.(?:text|integer|secret)\(\s*["`](?:\$\{[^}]+\})?_?([A-Z][A-Z0-9_]*)["`]/g)].map(
      ([, name]) => name ?? "",
    ),
  );
  return new Set(found);
}

interface Lock {
  readonly credentials: readonly string[];
  readonly flags: Readonly<Record<string, boolean>>;
}

function podOf(output: Output, component: string): Pod {
  const pod = podsIn(output.manifests).find(
    ({ labels }) => labels["app.kubernetes.io/component"] === component,
  );
  if (pod === undefined) throw new Error(`no pod of the ${component}`);
  return pod;
}

function containerOf(output: Output): Block {
  const [container] = podOf(output, "server").containers;
  if (container === undefined) throw new Error("no container");
  return container;
}

describe.each(["hello", "shop", "shop.dev", "shop.prod", "sre", "sre.staging"])(
  "A21: the wiring of %s",
  (name) => {
    let output: Output;
    let given: ReadonlySet<string>;
    let lock: Lock;
    beforeAll(async () => {
      const found = (await exampleOutputs()).get(name);
      if (found === undefined) throw new Error(`no output ${name}`);
      output = found;
      const pod = podOf(output, "server");
      const optional = pod.containers.flatMap((each) =>
        blocks(each["env"]).filter(
          (variable) => at(variable, "valueFrom", "secretKeyRef", "optional") === true,
        ),
      );
      given = new Set([
        ...Object.keys(variablesOf(pod, output)),
        ...optional.map((each) => String(each["name"])),
      ]);
      lock = JSON.parse(output.tree.get("server/surface.lock.json")?.text ?? "{}") as Lock;
    });

    it("every variable of the server that its code names is given, or documented as a choice", () => {
      const read = literalNames(output, "server");
      expect(read.size).toBeGreaterThan(5);
      const missing = [...read].filter((variable) => !given.has(variable) && !OPTIONAL.has(variable));
      expect(missing).toEqual([]);
    });

    it("every credential and every write flag of the lock is given, and no other secret", () => {
      const secret = blocks(containerOf(output)["env"])
        .filter((variable) => variable["valueFrom"] !== undefined)
        .map((variable) => String(variable["name"]));
      expect(secret).toEqual(lock.credentials);
      const flags = [...given].filter((variable) => variable.endsWith("_WRITE_ACCESS"));
      expect(flags.sort()).toEqual(Object.keys(lock.flags));
    });

    it("every variable that is given is read by the code", () => {
      const literal = literalNames(output, "server");
      const below = [...suffixes(output)];
      const isRead = (variable: string): boolean =>
        literal.has(variable) ||
        Object.hasOwn(lock.flags, variable) ||
        below.some((suffix) => variable.endsWith(`_${suffix}`));
      expect([...given].filter((variable) => !isRead(variable))).toEqual([]);
    });

    it("the account, the port, the folder and the command of the image are those of the pod", () => {
      const dockerfile = output.tree.get("server/Dockerfile")?.text ?? "";
      const container = containerOf(output);
      const security = at(podOf(output, "server").spec, "securityContext") as Block;
      const lines = (word: string): readonly string[] =>
        [...dockerfile.matchAll(new RegExp(`^${word} (.*)$`, "gm"))].map(([, rest]) => rest ?? "");
      expect(lines("USER")).toEqual([`${String(security["runAsUser"])}:${String(security["runAsGroup"])}`]);
      expect(lines("EXPOSE")).toEqual([String(blocks(container["ports"])[0]?.["containerPort"])]);
      expect(lines("WORKDIR").at(-1)).toBe(container["workingDir"]);
      expect(JSON.parse(lines("CMD")[0] ?? "")).toEqual(container["command"]);
      expect(lines("COPY").at(-1)).toBe("--from=libraries /app/node_modules /app/node_modules");
      expect(String(container["workingDir"])).toBe("/app/server");
      expect(dockerfile).not.toMatch(/^FROM .*:latest|^ARG NODE=.*latest/m);
      const packageJson = JSON.parse(output.tree.get("server/package.json")?.text ?? "{}") as {
        scripts: { start: string };
      };
      expect(packageJson.scripts.start).toBe((container["command"] as readonly string[]).join(" "));
    });

    it("the port that the server is told is the one that the pod, the Service, the routes and the rules mean", () => {
      const port = Number(variablesOf(podOf(output, "server"), output)["MCP_PORT"]);
      expect(blocks(containerOf(output)["ports"])[0]).toMatchObject({ name: "http", containerPort: port });
      const [service] = ofKind(output.manifests, "Service");
      expect(blocks(at(service?.object, "spec", "ports"))[0]).toMatchObject({ port, targetPort: "http" });
      const backends = output.manifests.flatMap(({ object }) => [
        ...JSON.stringify(object).matchAll(
          /"(?:servicePort|number)":(\d+)|"backendRefs":\[\{"name":"[^"]+","port":(\d+)/g,
        ),
      ]);
      for (const [, first, second] of backends) expect(Number(first ?? second)).toBe(port);
      const policy = ofKind(output.manifests, "NetworkPolicy").flatMap(({ object }) =>
        blocks(at(object, "spec", "ingress")),
      );
      for (const rule of policy)
        for (const { port: open } of blocks(rule["ports"])) expect([port, 8090, 9103]).toContain(open);
    });

    it("the hosts that the routes lead are among those that the server answers to", () => {
      const hosts = String(variablesOf(podOf(output, "server"), output)["MCP_ALLOWED_HOSTS"]).split(",");
      const routed = output.manifests
        .filter((manifest) => ["ApisixRoute", "HTTPRoute", "Ingress"].includes(kindOf(manifest)))
        .flatMap(({ object }) =>
          [...JSON.stringify(object).matchAll(/"(?:hosts|hostnames)":\["([^"]+)"/g)].map(([, host]) => host),
        );
      for (const host of routed) expect(hosts).toContain(host);
    });

    it("the probes ask paths that the server answers, without a key", () => {
      const door = output.tree.get("server/runtime/door/front-door.ts")?.text ?? "";
      for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"])
        expect(door).toContain(`"${String(at(containerOf(output)[probe], "httpGet", "path"))}": ["GET"]`);
    });

    it("what is mounted is what runs: every file that any file imports, and nothing that only people read", () => {
      const sourcesIn = blocks(podOf(output, "server").spec["volumes"]).flatMap((volume) =>
        blocks(at(volume, "projected", "sources")),
      );
      const mounted = sourcesIn.flatMap((source) =>
        blocks(at(source, "configMap", "items")).map(({ path }) => String(path)),
      );
      const files = [...output.tree.keys()]
        .filter((path) => path.startsWith("server/"))
        .map((path) => path.slice("server/".length));
      const onlyForPeople = ["Dockerfile", "package-lock.json", "policy.json", "tsconfig.json"];
      const expected = files.filter((path) => !onlyForPeople.includes(path));
      expect(mounted.sort()).toEqual([...expected, "governance/policy.json"].sort());
      for (const [path, text] of sources(output, "server")) {
        for (const [, specifier] of text.matchAll(/from "(#runtime\/[^"]+|\.\/[^"]+)"/g)) {
          const target = (specifier ?? "")
            .replace(/^#runtime\/(.*)$/, "runtime/$1.ts")
            .replace(/^\.\//, path.includes("/tools/") ? "tools/" : "");
          if (!path.includes("/runtime/") || target.startsWith("runtime/"))
            expect(mounted, path).toContain(target);
        }
      }
    });

    it("the image's tag is the digest of what it holds", async () => {
      expect(containerOf(output)["image"]).toMatch(/^[a-z-]+-mcp:[0-9a-f]{12}$/);
    });
  },
);
