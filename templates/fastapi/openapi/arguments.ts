/** The parameters of a tool from those of an operation: path, query, headers and body in one flat list. */
import { defaultOf, inputOf, listOf, own, recordOf, withoutNull } from "#contract";
import type { ForeignDocument, Json } from "#contract";
import type { Input } from "#runtime/fastapi/operation";
import type { Described } from "./document.ts";

/** What only the connection itself, a proxy or the link's own credential may say. */
const FORBIDDEN_HEADER =
  /^(accept(-.*)?|authorization|connection|content-.*|cookie|expect|forwarded|host|keep-alive|origin|proxy-.*|referer|sec-.*|te|trailer|transfer-encoding|upgrade|via|x-(forwarded|http-method|original|real|rewrite).*)$/i;
const MAX_ARGUMENT = 64;

export interface Argument extends Input {
  readonly schema: Json;
  readonly required: boolean;
}

export type Arguments =
  | { readonly inputs: readonly Argument[]; readonly body?: "json" | "form" }
  | { readonly problem: string };

type Found = Omit<Argument, "argument">;

function isComposed(schema: Json): boolean {
  const of = (each: Json): boolean => each["type"] === "object" || each["properties"] !== undefined;
  const items = recordOf(schema["items"]);
  return [schema, items, ...listOf(schema["anyOf"]).map(recordOf)].some(of);
}

/** One parameter; nothing for one that is never sent, a text for one that cannot be. */
function parameterOf(
  document: ForeignDocument,
  written: unknown,
  keyHeader: string,
): Found | string | undefined {
  const parameter = document.part(written)?.value ?? {};
  const { name, in: place } = parameter;
  if (typeof name !== "string" || name === "") return "has a parameter without a name";
  const required = parameter["required"] === true || place === "path";
  const cannot = (why: string): string | undefined =>
    required ? `needs ${JSON.stringify(name.slice(0, 64))} ${why}` : undefined;
  if (place !== "path" && place !== "query" && place !== "header")
    return cannot("in a place that is not supported");
  if (place === "header" && (name.toLowerCase() === keyHeader.toLowerCase() || FORBIDDEN_HEADER.test(name)))
    // OpenAPI itself ignores these three: content and credentials are described elsewhere.
    return /^(accept|content-type|authorization)$/i.test(name) ||
      name.toLowerCase() === keyHeader.toLowerCase()
      ? undefined
      : cannot("in a header that no caller may choose");
  const { schema: plain, content } = parameter;
  if (plain === undefined && content !== undefined) return cannot("in a form that is not supported");
  const schema = withoutNull(inputOf(document, plain ?? {}));
  if (isComposed(schema) || (place === "path" && schema["type"] === "array"))
    return cannot("as an object, which is not supported there");
  const isJoined = schema["type"] === "array" && (parameter["explode"] === false || place === "header");
  const doc =
    own(parameter, "description") === undefined
      ? {}
      : inputOf(document, { description: parameter["description"] });
  return {
    place,
    name,
    required,
    schema: { ...schema, ...doc, ...defaultOf(document, plain ?? {}, schema) },
    ...(isJoined ? { joined: true as const } : {}),
  };
}

const JSON_BODY = /^application\/(.+\+)?json\b/;

function bodyOf(
  document: ForeignDocument,
  { operation }: Described,
): { found: readonly Found[]; body?: "json" | "form" } | string {
  if (operation["requestBody"] === undefined) return { found: [] };
  const body = document.part(operation["requestBody"])?.value ?? {};
  const content = recordOf(body["content"]);
  const json = Object.keys(content).find((type) => JSON_BODY.test(type));
  const form = Object.keys(content).find((type) => type === "application/x-www-form-urlencoded");
  const type = json ?? form;
  if (type === undefined)
    return body["required"] === true ? "needs a body that is neither JSON nor a form" : { found: [] };
  const schema = inputOf(document, recordOf(content[type])["schema"] ?? {});
  const kind = json === undefined ? "form" : "json";
  const members = Object.entries(recordOf(schema["properties"]));
  const isRequired = body["required"] === true;
  if (members.length === 0) {
    if (kind === "form") return "needs a form without members";
    return { found: [{ place: "whole", name: "body", required: isRequired, schema }], body: kind };
  }
  const names = new Set(listOf(schema["required"]));
  const found = members.map(([name, each]): Found => ({
    place: "body",
    name,
    required: isRequired && names.has(name),
    schema: recordOf(each),
  }));
  return { found, body: kind };
}

/** A name that every client takes; a second one is told apart by where it goes. */
function argumentNames(found: readonly Found[], taken: ReadonlySet<string>): readonly Argument[] | string {
  const used = new Set(taken);
  const named: Argument[] = [];
  for (const each of found) {
    const plain = each.name.replace(/[^A-Za-z0-9_.-]/g, "_").slice(0, MAX_ARGUMENT);
    const argument = used.has(plain) ? `${each.place}_${plain}`.slice(0, MAX_ARGUMENT) : plain;
    if (used.has(argument)) return `has two parameters ${JSON.stringify(argument)}`;
    used.add(argument);
    named.push({ argument, ...each });
  }
  return named;
}

/** A parameter of the operation replaces that of its path. */
function effective(document: ForeignDocument, written: readonly unknown[]): readonly unknown[] {
  const byPlace = new Map(
    written.map((each) => {
      const { name, in: place } = document.part(each)?.value ?? {};
      return [`${String(place)} ${String(name)}`, each] as const;
    }),
  );
  return [...byPlace.values()];
}

export function argumentsOf(
  document: ForeignDocument,
  described: Described,
  options: { readonly keyHeader: string; readonly taken: ReadonlySet<string> },
): Arguments {
  const found = effective(document, described.parameters).map((each) =>
    parameterOf(document, each, options.keyHeader),
  );
  const body = bodyOf(document, described);
  const problem = [...found, body].find((each) => typeof each === "string");
  if (typeof problem === "string" || typeof body === "string") return { problem: String(problem) };
  const parameters = found.filter((each): each is Found => typeof each === "object");
  const variables = [...described.path.matchAll(/\{([^{}]*)\}/g)].map(([, name]) => name);
  const missing = variables.find(
    (name) => !parameters.some((each) => each.place === "path" && each.name === name),
  );
  if (missing !== undefined) return { problem: `does not describe {${missing.slice(0, 64)}} of its path` };
  const used = parameters.filter(({ place, name }) => place !== "path" || variables.includes(name));
  const inputs = argumentNames([...used, ...body.found], options.taken);
  if (typeof inputs === "string") return { problem: inputs };
  return { inputs, ...(body.body === undefined ? {} : { body: body.body }) };
}
