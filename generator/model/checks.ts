/** What is wrong with a topology as a whole, once each of its parts has been resolved. */
import type { ComponentType } from "../catalog/contract.ts";
import { suggestion } from "../diagnostics/suggest.ts";
import { SERVER } from "./builtins.ts";
import { listed, quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";
import type { Built } from "./build.ts";
import { accessWords } from "./references.ts";
import { ACCESS_WORDS } from "./build-ai-link.ts";
import { environmentPrefix, kubernetesName, toolPrefix } from "./naming.ts";
import type { Component, McpLink, Path } from "./topology.ts";
import { isBlock } from "./block.ts";
import { NOTHING, blockOf, textOf } from "./values.ts";

type Types = ReadonlyMap<string, ComponentType>;

/** Variables of commands, queries and patterns; a `config` key of such a name would change what they mean. */
const VARIABLES: ReadonlySet<string> = new Set(
  (
    "name type namespace group stack env environment domain cluster_domain host port database topic queue bucket " +
    "username password admin_password secret_key access_key api_token api_key consumers subdomain kind sub_name " +
    "is_external link_name link_type link_id"
  ).split(" "),
);

function checkConfig(component: Component, type: ComponentType, report: Report): void {
  for (const key in component.config) {
    const isDeclared = Object.hasOwn(type.attributes, key) || Object.hasOwn(type.secrets ?? {}, key);
    if (!isDeclared && !VARIABLES.has(key) && !key.startsWith("linked_")) continue;
    report("E-VAR", `config key "${key}" hides the variable {${key}}: give it another name`, [
      ...component.path,
      "config",
      key,
    ]);
  }
}

function checkExternal(component: Component, report: Report): void {
  if (component.external === null || component.namespace !== "") return;
  if (component.host === null || component.host.includes("..")) {
    report("E-MISSING", `external component "${component.name}" needs a host, or the namespace it runs in`, [
      ...component.path,
      "external",
    ]);
  } else if (component.cidr === null) {
    report(
      "W-NO-EGRESS",
      `no network rule can be made for "${component.name}": add cidr, or namespace when it runs in this cluster`,
      [...component.path, "external"],
    );
  }
}

function checkName(component: Component, types: Types, report: Report): void {
  if (types.has(component.name) && component.name !== component.type && !component.builtin) {
    report(
      "W-NAME",
      `"${component.name}" is named like another type than its own, which is ${component.type}`,
      component.path,
    );
  }
}

/** The attributes of a type that name another component, and the types that they may name. */
function referringAttributes(
  type: ComponentType,
): readonly (readonly [name: string, types: readonly string[]])[] {
  return Object.entries(type.attributes).flatMap(([name, spec]) =>
    spec.kind === "text" && spec.componentOf !== undefined ? [[name, spec.componentOf] as const] : [],
  );
}

function checkReference(
  component: Component,
  name: string,
  wanted: readonly string[],
  built: Built,
  report: Report,
): void {
  const value = component.attributes[name];
  if (typeof value !== "string") return;
  const target = built.components.get(value);
  if (target === null || (target !== undefined && wanted.includes(target.type))) return;
  const fitting = built.topology.components.filter((one) => wanted.includes(one.type)).map((one) => one.name);
  const found =
    target === undefined ? `no component ${quoted(value)} is drawn` : `"${value}" is a ${target.type}`;
  report(
    "E-REF",
    `${found}: ${name} names a component of type ${wanted.join(" or ")}.${suggestion(value, fitting)}`,
    [...component.path, name],
  );
}

/** Kubernetes writes `_` as `-`, so two keys can become one name. */
function checkKubernetesNames(components: readonly Component[], report: Report): void {
  const taken = new Map<string, string>();
  for (const { name, path } of components) {
    const resulting = kubernetesName(name);
    const other = taken.get(resulting);
    if (other === undefined) taken.set(resulting, name);
    else
      report(
        "E-DUP",
        `"${name}" and "${other}" both become ${resulting} in Kubernetes: rename one of them`,
        path,
      );
  }
}

/** A secret is stored under its conventional name, so two of one name would share a value. */
function checkSecretNames(components: readonly Component[], report: Report): void {
  const taken = new Map<string, Path>();
  const visit = (secrets: Component["secrets"], path: Path): void => {
    for (const attribute in secrets) {
      const reference = secrets[attribute];
      if (reference?.from !== "implied") continue;
      if (taken.has(reference.name)) {
        const other = taken.get(reference.name)?.slice(1).join("/");
        report(
          "E-DUP",
          `its ${attribute} and one of ${other} would both be kept as ${reference.name}: write {key: NAME} for one of them`,
          path,
        );
      } else taken.set(reference.name, path);
    }
  };
  for (const component of components) {
    visit(component.secrets, component.path);
    for (const sub of component.subs) visit(sub.secrets, sub.path);
  }
}

/** The components that `access.oauth` names; `null` where it names what could not be resolved or used. */
function signersOf({ drawing, topology, components }: Built): readonly Component[] | null {
  const written = blockOf(drawing.root, "access")["oauth"];
  if (written === undefined) return [];
  const { oauth } = topology.access;
  if (oauth === null || !isBlock(written)) return null;
  const [issuer = ""] = textOf(written, "issuer")?.split("/") ?? [];
  const names = oauth.keys.from === "component" ? [issuer, oauth.keys.component] : [issuer];
  return names.flatMap((name) => components.get(name) ?? []);
}

function checkUnlinked(built: Built, report: Report): void {
  const { topology, failed } = built;
  const signers = signersOf(built);
  if (failed.size > 0 || signers === null) return;
  const linked = new Set<Component>(signers);
  for (const { from, to } of topology.links) linked.add(from.component).add(to.component);
  for (const component of topology.components) {
    if (!linked.has(component))
      report("W-UNLINKED", `nothing is linked with "${component.name}"`, component.path);
  }
}

/** Generated names are made from component names; two that meet would silently share tools or credentials. */
function checkPrefixes(links: readonly McpLink[], types: Types, report: Report): void {
  const owners = new Map<string, McpLink>();
  for (const link of links) {
    const type = types.get(link.component.type);
    if (type === undefined) continue;
    const tools = `tools ${toolPrefix(link.component, type)}_*`;
    const variables = `variables ${environmentPrefix(link.component, type)}_*`;
    const clash = [tools, variables].find((name) => owners.has(name));
    for (const name of [tools, variables]) if (!owners.has(name)) owners.set(name, link);
    const other = clash === undefined ? undefined : owners.get(clash);
    if (other === undefined) continue;
    const { name } = link.component;
    const example = `${name}_2: {type: ${type.type}}`;
    report(
      "E-DUP",
      `mcp -> ${name} and mcp -> ${other.component.name} would both have the ${clash}: give one of the components a name of its own, such as ${example}`,
      link.path,
    );
  }
}

function variablesOf(link: McpLink, type: ComponentType): readonly string[] {
  const family = type.tools;
  if (family === undefined) return [];
  const names = [...family.settings(link), ...family.credentials(link)].map(({ name }) => name);
  return [...names, "WRITE_ACCESS"].map((name) => `${environmentPrefix(link.component, type)}_${name}`);
}

/** `cnpg` with a database `app_db`, beside a component `cnpg_app`, can lead to one variable for two values. */
function checkVariables(links: readonly McpLink[], types: Types, report: Report): void {
  const owners = new Map<string, McpLink>();
  for (const link of links) {
    const type = types.get(link.component.type);
    if (type === undefined) continue;
    for (const variable of variablesOf(link, type)) {
      const other = owners.get(variable);
      if (other === undefined) owners.set(variable, link);
      else if (other !== link) {
        report(
          "E-DUP",
          `mcp -> ${link.component.name} and mcp -> ${other.component.name} would both read ${variable}: rename one of the components`,
          link.path,
        );
      }
    }
  }
}

function checkAiLinks(built: Built, types: Types, report: Report): void {
  for (const link of built.aiLinks.values()) {
    if (types.get(link.component.type)?.mcp !== "later") continue;
    report(
      "W-NO-TOOLS-YET",
      `there are no tools for ${link.component.type} yet: the link to "${link.component.name}" gives AI nothing in this release`,
      link.path,
    );
  }
  for (const link of built.topology.mcpLinks) {
    const { component } = link;
    // Without a host the tools stay in the server.
    if (component.host === null || component.cidr !== null) continue;
    if (Object.keys(component.podLabels).length > 0) continue;
    report(
      "W-NO-EGRESS",
      `no network rule can be made for "${component.name}", which runs in no pod: add the cidr of its addresses`,
      component.path,
    );
  }
  const { aiLinks } = built;
  const hasAgent = [...types.values()].some((type) => type.builtin === "stack_agent");
  if (hasAgent && aiLinks.size > 0 && !aiLinks.has("stack_agent")) {
    report("W-NO-STACK-AGENT", "AI cannot ask what is drawn here: add stack_agent: read", ["links", SERVER]);
  }
}

function checkServer({ topology }: Built, report: Report): void {
  const { replicas, state } = topology.server;
  if (replicas <= 1 || state !== null) return;
  const message = `${replicas} replicas share approvals, rate limits and the audit head: name the component that holds them with state`;
  report("E-MISSING", message, ["components", SERVER, "replicas"]);
}

function checkExports(built: Built, types: Types, report: Report): void {
  for (const { component: name, access } of built.topology.exports) {
    const component = built.components.get(name);
    const path = ["exports", name];
    if (component === undefined) {
      report(
        "E-REF",
        `no component ${quoted(name)} is drawn, so it cannot be exported.${suggestion(name, built.components.keys())}`,
        path,
      );
      continue;
    }
    const type = component === null ? undefined : types.get(component.type);
    if (component === null || type === undefined) continue;
    const words = new Set<string>([...ACCESS_WORDS, ...accessWords({ component, sub: null }, type)]);
    if (!words.has(access))
      report("E-ACCESS", `${quoted(access)} is no access word for "${name}": use ${listed(words)}`, [
        ...path,
        "access",
      ]);
  }
}

/** Days and instants in UTC compare as text. */
function checkGrants({ topology }: Built, today: string | undefined, report: Report): void {
  for (const { name, expires } of topology.access.grants) {
    const path = ["access", "grants", name, "expires"];
    if (expires === null) continue;
    if (Number.isNaN(Date.parse(expires)))
      report("E-SHAPE", `grant ${quoted(name)} expires on a day that does not exist`, path);
    else if (today !== undefined && expires.slice(0, 10) <= today) {
      report("W-GRANT-EXPIRED", `grant ${quoted(name)} expired on ${expires}`, path);
    }
  }
}

/** Reports; changes nothing. `today` as `2026-11-20`, or `undefined` to leave dates alone. */
export function checkTopology(built: Built, types: Types, today: string | undefined, report: Report): void {
  const { topology } = built;
  const referring = new Map([...types.values()].map((type) => [type.type, referringAttributes(type)]));
  for (const component of topology.components) {
    const type = types.get(component.type);
    if (type === undefined) continue;
    if (component.config !== NOTHING) checkConfig(component, type, report);
    if (component.external !== null) checkExternal(component, report);
    checkName(component, types, report);
    for (const [name, wanted] of referring.get(type.type) ?? [])
      checkReference(component, name, wanted, built, report);
  }
  checkKubernetesNames(topology.components, report);
  checkSecretNames(topology.components, report);
  checkUnlinked(built, report);
  checkPrefixes(topology.mcpLinks, types, report);
  checkAiLinks(built, types, report);
  checkServer(built, report);
  checkExports(built, types, report);
  checkGrants(built, today, report);
}

/** A source for a credential that the account does not have would never be read. */
function checkCredentials(links: readonly McpLink[], types: Types, report: Report): void {
  for (const link of links) {
    const type = types.get(link.component.type);
    if (type?.tools === undefined) continue;
    const prefix = `${environmentPrefix(link.component, type)}_`;
    const known = type.tools.credentials(link).map(({ name }) => name.toLowerCase());
    for (const variable in link.credentials) {
      const name = variable.slice(prefix.length).toLowerCase();
      if (known.includes(name)) continue;
      const has = known.length === 0 ? "it has none" : `it has ${known.join(", ")}`;
      report(
        "E-UNKNOWN-KEY",
        `the account of mcp -> ${link.component.name} has no credential ${quoted(name)}; ${has}.${suggestion(name, known)}`,
        [...link.path, "credentials", name],
      );
    }
  }
}

/** For a topology without errors: the catalog's own functions may rely on that. */
export function checkGeneratedNames(built: Built, types: Types, report: Report): void {
  checkVariables(built.topology.mcpLinks, types, report);
  checkCredentials(built.topology.mcpLinks, types, report);
}
