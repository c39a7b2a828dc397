import { PODS, listRows, pathOf } from "#runtime/kubernetes/api";
import type { Access, Json } from "#runtime/kubernetes/api";
import { scan, scanDeadline } from "#runtime/kubernetes/scan";
import type { Scan } from "#runtime/kubernetes/scan";

/** Every phase but Succeeded. A row does not hold the phase, so each is asked for by itself. */
const PHASES = ["Pending", "Running", "Failed", "Unknown"] as const;

/** A running pod fails when a container is not ready, or when its state is called anything but Running. */
function isFailing(phase: string, row: Json): boolean {
  if (phase !== "Running") return true;
  const [ready, wanted] = String(row["ready"]).split("/");
  return ready !== wanted || row["status"] !== "Running";
}

async function failingIn(access: Access, namespace: string, deadline: number): Promise<Scan> {
  const scans = PHASES.map(async (phase): Promise<Scan> => {
    const fieldSelector = `status.phase=${phase}`;
    const seen = await scan(
      (query) => listRows(access, pathOf(PODS, namespace), { ...query, fieldSelector }),
      deadline,
    );
    const failing = seen.items
      .filter((row) => isFailing(phase, row))
      .map((row) => ({
        name: row["name"],
        namespace,
        phase,
        reason: row["status"],
        ready: row["ready"],
        restarts: row["restarts"],
        age: row["age"],
      }));
    return { items: failing, stopped: seen.stopped };
  });
  const all = await Promise.all(scans);
  return {
    items: all.flatMap(({ items }) => items),
    stopped: all.map(({ stopped }) => stopped).find((reason) => reason !== null) ?? null,
  };
}

/** Pods that do not work, by namespace and name: those of the phases, and those that run without being ready. */
export async function failingPods(access: Access, namespaces: readonly string[]): Promise<Scan> {
  const deadline = scanDeadline();
  const found: Json[] = [];
  let stopped: Scan["stopped"] = null;
  for (const namespace of namespaces) {
    const one = await failingIn(access, namespace, deadline);
    const byName = [...one.items].sort((a, b) => (String(a["name"]) < String(b["name"]) ? -1 : 1));
    found.push(...byName);
    stopped ??= one.stopped;
  }
  return { items: found, stopped };
}
