import { cutText, listOf, recordOf } from "#runtime/json-shape";
import { ENDPOINT_SLICES, SERVICES, listObjects, pathOf } from "#runtime/kubernetes/api";
import type { Access, Batch, Json } from "#runtime/kubernetes/api";
import { present } from "#runtime/kubernetes/pod";
import { scan, scanDeadline } from "#runtime/kubernetes/scan";

const MAX_NAME = 253;
const MAX_PORTS = 20;
const SERVICE_OF_SLICE = "kubernetes.io/service-name";

export interface Ready {
  ready: number;
  not_ready: number;
}

export interface Endpoints {
  readonly byService: ReadonlyMap<string, Ready>;
  /** Whether some endpoints were not looked at. */
  readonly partial: boolean;
}

/** How many endpoints of each service take traffic. A service has as many slices as it needs. */
export async function countEndpoints(access: Access, namespace: string): Promise<Endpoints> {
  const { items, stopped } = await scan(
    (query) => listObjects(access, pathOf(ENDPOINT_SLICES, namespace), query),
    scanDeadline(),
  );
  const byService = new Map<string, Ready>();
  for (const slice of items) {
    const service = String(recordOf(recordOf(slice["metadata"])["labels"] ?? {})[SERVICE_OF_SLICE] ?? "");
    const counts = byService.get(service) ?? { ready: 0, not_ready: 0 };
    for (const endpoint of listOf(slice["endpoints"] ?? [])) {
      // A missing condition counts as ready, as for kube-proxy.
      const { ready } = recordOf(recordOf(endpoint)["conditions"] ?? {});
      counts[ready === false ? "not_ready" : "ready"] += 1;
    }
    byService.set(service, counts);
  }
  return { byService, partial: stopped !== null };
}

function portOf(value: unknown): string {
  const port = recordOf(value);
  const label = port["name"] === undefined ? "" : `${cutText(port["name"], 63)} `;
  return `${label}${String(port["port"])}→${String(port["targetPort"])}/${String(port["protocol"] ?? "TCP")}`;
}

/** A service as the tools show it. */
export function serviceOf(service: Json, { byService }: Endpoints): Json {
  const name = cutText(recordOf(service["metadata"])["name"], MAX_NAME);
  const spec = recordOf(service["spec"]);
  const selector = Object.entries(recordOf(spec["selector"] ?? {}));
  return present({
    name,
    type: cutText(spec["type"], MAX_NAME),
    headless: spec["clusterIP"] === "None" ? true : undefined,
    external_name: cutText(spec["externalName"], MAX_NAME),
    ports: listOf(spec["ports"] ?? [])
      .slice(0, MAX_PORTS)
      .map(portOf),
    selector: selector.map(([label, value]) => `${label}=${String(value)}`).join(","),
    endpoints: byService.get(name) ?? { ready: 0, not_ready: 0 },
  });
}

export async function listServices(
  access: Access,
  namespace: string,
  query: { readonly limit: number; readonly continue?: string },
): Promise<Batch> {
  return await listObjects(access, pathOf(SERVICES, namespace), query);
}
