import { faultIn, resultOf } from "#runtime/fastapi/answer";
import type { Operation } from "#runtime/fastapi/operation";
import { requestOf } from "#runtime/fastapi/request";
import { openHttp, requestText } from "#runtime/http";
import type { HttpOptions, HttpRequest, HttpService } from "#runtime/http";
import { SettingError } from "#runtime/settings";
import type { Secret, Settings } from "#runtime/settings";
import { shownTool } from "#runtime/tool";
import type { CallContext, LinkFacts, Tool, ToolResult } from "#runtime/tool";

export interface Service {
  readonly http: HttpService;
  readonly key: { readonly header: string; readonly value: Secret } | undefined;
}

/** Beside what every HTTP link reads: `API_KEY`, and `API_KEY_HEADER` for one that is not the document's. */
export function openService(
  link: LinkFacts,
  settings: Settings,
  { keyHeader, ...options }: HttpOptions & { readonly keyHeader: string },
): Service {
  const header = settings.text("API_KEY_HEADER", keyHeader);
  const value = settings.secret("API_KEY");
  if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(header))
    throw new SettingError(`${link.env}_API_KEY_HEADER`, "must be the name of a header");
  if (value !== undefined && !/^[\x21-\x7e]+$/.test(value.reveal()))
    throw new SettingError(`${link.env}_API_KEY`, "holds a character that no HTTP header can carry");
  return {
    http: openHttp(link, settings, options),
    key: value === undefined ? undefined : { header, value },
  };
}

export async function askText({ http, key }: Service, request: HttpRequest): Promise<string> {
  const headers = key === undefined ? {} : { [key.header]: key.value.reveal() };
  return await requestText(http, {
    accept: "application/json, text/*;q=0.5",
    ...request,
    headers: { ...request.headers, ...headers },
  });
}

/** The request as a person would check it; nothing was sent. */
function preview({ method, path, query, json, form }: Omit<HttpRequest, "signal">): ToolResult {
  return {
    data: {
      dry_run: true,
      request: { method, path: `/${path.join("/")}`, query, body: json ?? form ?? null },
    },
  };
}

/** One row of the table as a tool: all rows share this handler. */
export function operationTool(operation: Operation): Tool<Service> {
  return {
    ...shownTool(operation),
    handler: async (args: Readonly<Record<string, unknown>>, { client, signal }: CallContext<Service>) => {
      const request = requestOf(operation, args);
      if (operation.effect !== "read" && args["dry_run"] !== false) return preview(request);
      return resultOf(await askText(client, { ...request, signal, faultIn }), operation.returns);
    },
  };
}
