import { ToolFault } from "#runtime/fault";
import { cutText, listOf, recordOf } from "#runtime/json-shape";
import { POD_METRICS, listObjects, pathOf } from "#runtime/kubernetes/api";
import type { Access, Json } from "#runtime/kubernetes/api";
import { scan, scanDeadline } from "#runtime/kubernetes/scan";
import type { Scan } from "#runtime/kubernetes/scan";

const UNITS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The number in a quantity such as `250m`, `128Mi` or `1e3`; 0 for what is none. */
export function quantityOf(text: unknown): number {
  const [, digits, unit] = /^([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)([a-zA-Z]{0,2})$/.exec(String(text)) ?? [];
  return digits === undefined ? 0 : Number(digits) * (UNITS[unit ?? ""] ?? 0);
}

export interface Usage extends Json {
  readonly pod: string;
  readonly cpu_millicores: number;
  readonly memory_mib: number;
}

function usageOf(item: Json): Usage {
  const containers = listOf(item["containers"] ?? []).map((each) => recordOf(recordOf(each)["usage"] ?? {}));
  const sum = (resource: string): number =>
    containers.reduce((total, usage) => total + quantityOf(usage[resource] ?? 0), 0);
  return {
    pod: cutText(recordOf(item["metadata"])["name"], 253),
    cpu_millicores: Math.round(sum("cpu") * 1000),
    memory_mib: Math.round(sum("memory") / 2 ** 20),
  };
}

/** What each pod uses now. The figures come from metrics-server, which a cluster may lack. */
export async function podUsage(
  access: Access,
  namespace: string,
  labelSelector: string | undefined,
): Promise<Pick<Scan, "stopped"> & { readonly usage: readonly Usage[] }> {
  try {
    const { items, stopped } = await scan(
      (query) => listObjects(access, pathOf(POD_METRICS, namespace), { ...query, labelSelector }),
      scanDeadline(),
    );
    return { usage: items.map(usageOf), stopped };
  } catch (error) {
    const isAbsent = error instanceof ToolFault && error.code === "not_found";
    if (!isAbsent) throw error;
    throw new ToolFault("not_found", "the cluster serves no pod metrics", {
      hint: "metrics-server is not installed; a drawn Prometheus may have the figures",
    });
  }
}
