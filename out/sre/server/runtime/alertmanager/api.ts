import { ToolFault } from "#runtime/fault";
import { requestJson, requestText } from "#runtime/http";
import type { HttpRequest, HttpService } from "#runtime/http";
import { cutText, recordOf } from "#runtime/json-shape";
import type { CallContext } from "#runtime/tool";

export type Context = CallContext<HttpService>;
export type Json = Readonly<Record<string, unknown>>;
export type Labels = Readonly<Record<string, string>>;

const MAX_REASON = 300;
const MAX_LABELS = 40;
const MAX_LABEL = 512;

/** Everything of the API that is ever asked for, besides one silence by its id. */
export type Endpoint =
  | readonly ["alerts"]
  | readonly ["alerts", "groups"]
  | readonly ["silences"]
  | readonly ["receivers"];

/** Its errors are JSON texts, and a silence that is not there is a 500 when it is to be deleted. */
function faultIn(status: number, body: string): ToolFault | undefined {
  const text = /^"((?:[^"\\]|\\.){1,2000})"\s*$/.exec(body)?.[1]?.replaceAll('\\"', '"');
  if (status === 404 || text === "silence not found")
    return new ToolFault("not_found", "there is no such silence");
  if (text === undefined || status !== 400) return undefined;
  return new ToolFault("invalid_argument", `the service answered 400: ${text.slice(0, MAX_REASON)}`);
}

export async function ask(
  { client, signal }: Context,
  endpoint: Endpoint,
  request: Pick<HttpRequest, "query" | "json"> = {},
): Promise<unknown> {
  return await requestJson(client, { ...request, path: ["api", "v2", ...endpoint], signal, faultIn });
}

export async function askSilence({ client, signal }: Context, id: string): Promise<Json> {
  return recordOf(await requestJson(client, { path: ["api", "v2", "silence", id], signal, faultIn }));
}

export async function deleteSilence({ client, signal }: Context, id: string): Promise<void> {
  await requestText(client, { path: ["api", "v2", "silence", id], method: "DELETE", signal, faultIn });
}

/** What the server measures of itself. */
export async function askMetrics({ client, signal }: Context): Promise<string> {
  return await requestText(client, { path: ["metrics"], signal });
}

/** A label set of bounded size; the name of an alert comes first. */
export function labelsOf(value: unknown): Labels {
  const { alertname, ...others } = recordOf(value ?? {});
  const labels = Object.entries(alertname === undefined ? others : { alertname, ...others });
  return Object.fromEntries(
    labels.slice(0, MAX_LABELS).map(([name, text]) => [cutText(name, MAX_LABEL), cutText(text, MAX_LABEL)]),
  );
}
