import { ToolFault } from "#runtime/fault";
import { openHttp, requestJson } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { SettingError } from "#runtime/settings";
import type { Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";

const MAX_ORG = 1_000_000_000;

type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** Everything that is ever asked for. Nothing of it runs a query of a data source, or renders anything. */
type Path =
  | readonly ["search"]
  | readonly ["folders"]
  | readonly ["datasources"]
  | readonly ["dashboards", "uid", string]
  | readonly ["prometheus", "grafana", "api", "v1", "rules"];

/** The organisation comes from the operator, never from a caller; an account without a token reads nothing. */
export function openGrafana(link: LinkFacts, settings: Settings): HttpService {
  const organisation = settings.integer("ORG_ID", 1);
  if (organisation < 1 || organisation > MAX_ORG)
    throw new SettingError(`${link.env}_ORG_ID`, "must be the number of an organisation");
  return openHttp(link, settings, { headers: { "x-grafana-org-id": String(organisation) } });
}

/** Grafana names the right that an account lacks; the operator can give it. */
function faultIn(status: number, text: string): ToolFault | undefined {
  const [, right] = /Permissions needed: ([a-z.]+:[a-z]+)/.exec(status === 403 ? text : "") ?? [];
  if (right === undefined) return undefined;
  return new ToolFault("denied", `the service refused the account of this link (${status})`, {
    hint: `the operator can give it the right ${right}`,
  });
}

export async function ask(
  service: HttpService,
  path: Path,
  query: Query,
  signal: AbortSignal,
): Promise<unknown> {
  return await requestJson(service, { path: ["api", ...path], query, signal, faultIn });
}

/** The one thing that is ever written. */
export async function addAnnotation(
  service: HttpService,
  annotation: object,
  signal: AbortSignal,
): Promise<unknown> {
  return await requestJson(service, { path: ["api", "annotations"], json: annotation, signal, faultIn });
}
