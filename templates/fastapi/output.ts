import { defineOutput } from "#hook";
import type { FileSpec, LinkModule, Topology } from "#hook";
import { derivedTools } from "./openapi/operations.ts";

const HERE = "templates/fastapi";

/** Of what nginx has decoded, so that no escape of a slash or of a line's end is left in it. */
const ONE_SEGMENT = "[^/\\x00-\\x1f\\x7f]+";

/** What a proxy lets through: one address with its methods. */
interface Location {
  readonly pattern: string;
  readonly methods: readonly string[];
}

const literal = (text: string): string =>
  text.replace(/[^A-Za-z0-9/_-]/g, (character) => {
    if (/[\u0000-\u0020"'\\;{}]/.test(character)) return ".";
    return `\\${character}`;
  });

/** A path of the document as a regular expression: a parameter is one segment, or a part of one. */
function patternOf(path: string, prefix: string): string {
  const parts = `${prefix}${path}`.split(/(\{[^{}]*\})/);
  return `^${parts.map((part) => (part.startsWith("{") ? ONE_SEGMENT : literal(part))).join("")}$`;
}

function locationsOf({ link, tools, nameOf }: LinkModule, topology: Topology): readonly Location[] {
  const { attributes } = link.component;
  const prefix = String(attributes["path"] ?? "").replace(/\/$/, "");
  const kept = new Set(tools.map(({ name }) => name));
  const byPattern = new Map<string, Set<string>>();
  const allow = (path: string, method: string): void => {
    const pattern = patternOf(path, prefix);
    byPattern.set(pattern, (byPattern.get(pattern) ?? new Set()).add(method));
  };
  allow(String(attributes["health"] ?? "/health"), "GET");
  for (const { shown, row } of derivedTools(link, topology, () => undefined))
    if (kept.has(nameOf(shown.name))) allow(String(row["path"]), String(row["method"]));
  return [...byPattern]
    .map(([pattern, methods]) => ({ pattern, methods: [...methods].sort() }))
    .sort((a, b) => (a.pattern < b.pattern ? -1 : 1));
}

function accountView(module: LinkModule, topology: Topology): object {
  const { link, environment } = module;
  const { component } = link;
  const host = component.host ?? component.name;
  const secure = component.attributes["scheme"] === "https";
  return {
    component: component.name,
    upstream: `mcp_${component.name.replaceAll("-", "_")}`,
    host,
    address: `${host}:${component.port ?? 8080}`,
    scheme: secure ? "https" : "http",
    secure,
    key: `${environment}_API_KEY`,
    token: `${environment}_TOKEN`,
    url: `${environment}_URL`,
    locations: locationsOf(module, topology),
  };
}

/** A service has accounts of its own kind only: a proxy in front of it keeps to the drawn operations. */
export default defineOutput({
  name: "fastapi",
  files: (topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "fastapi")
      .flatMap((link) => {
        const view = accountView(link, topology);
        const file = (name: string, template: string): FileSpec => ({
          kind: "rendered",
          path: `principals/${link.link.component.name}/${name}`,
          from: `${HERE}/${template}`,
          view,
        });
        return [file("README.md", "principal-readme.md.hbs"), file("nginx.conf", "principal.conf.hbs")];
      }),
});
