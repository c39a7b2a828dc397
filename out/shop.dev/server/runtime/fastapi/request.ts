/** A call as the HTTP request that the document describes; nothing in it may lead to another operation. */
import { ToolFault } from "#runtime/fault";
import type { HttpRequest } from "#runtime/http";
import type { Input, Operation } from "#runtime/fastapi/operation";

type Arguments = Readonly<Record<string, unknown>>;
type Request = Omit<HttpRequest, "signal" | "accept" | "faultIn">;

/** Servers and proxies decode a path once more than they should, so that an escaped slash is as good as one. */
const CLIMBING = /[/\\]|%2f|%5c|%2e|\.\.|[\u0000-\u001f\u007f]/i;

function pathValue(name: string, value: unknown): string {
  const text = String(value);
  if (text !== "" && !CLIMBING.test(text)) return text;
  throw new ToolFault("invalid_argument", `${name} cannot stand in a path`, {
    hint: "it must not be empty and must hold no slash, no .. and no escape of one",
  });
}

function segmentsOf(path: string, values: ReadonlyMap<string, unknown>): readonly string[] {
  const filled = (segment: string): string =>
    segment.replace(/\{([^{}]*)\}/g, (_, name: string) => pathValue(name, values.get(name)));
  return path
    .split("/")
    .filter((segment) => segment !== "")
    .map(filled);
}

function plain(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function texts(value: unknown, joined: boolean): string | readonly string[] {
  if (!Array.isArray(value)) return plain(value);
  const list = value.map(plain);
  return joined ? list.join(",") : list;
}

/** The given arguments that go to one place, by their names there. */
function given(
  operation: Operation,
  args: Arguments,
  place: Input["place"],
): readonly (readonly [Input, unknown])[] {
  return operation.inputs.flatMap((input) =>
    input.place === place && args[input.argument] !== undefined
      ? [[input, args[input.argument]] as const]
      : [],
  );
}

function bodyOf(operation: Operation, args: Arguments): Pick<HttpRequest, "json" | "form"> {
  if (operation.body === undefined) return {};
  const [whole] = given(operation, args, "whole");
  if (whole !== undefined) return { json: whole[1] };
  const members = given(operation, args, "body");
  if (operation.body === "json")
    return { json: Object.fromEntries(members.map(([{ name }, value]) => [name, value])) };
  return { form: Object.fromEntries(members.map(([{ name }, value]) => [name, texts(value, false)])) };
}

export function requestOf(operation: Operation, args: Arguments): Request {
  const values = new Map(given(operation, args, "path").map(([{ name }, value]) => [name, value]));
  const texted = (place: Input["place"]): Record<string, string | readonly string[]> =>
    Object.fromEntries(
      given(operation, args, place).map(([{ name, joined }, value]) => [name, texts(value, joined === true)]),
    );
  return {
    method: operation.method,
    path: segmentsOf(operation.path, values),
    endsInSlash: operation.path.endsWith("/"),
    query: texted("query"),
    headers: texted("header") as Record<string, string>,
    ...bodyOf(operation, args),
  };
}
