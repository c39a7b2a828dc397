import { ask, getApplication, itemsOf, partOf, textOf } from "#runtime/argo-cd/api";
import type { Access, Application, Json } from "#runtime/argo-cd/api";
import { operationOf } from "#runtime/argo-cd/application";
import { sourcesOf } from "#runtime/argo-cd/list";
import { ToolFault } from "#runtime/fault";

/** How long a call waits for the end of a sync, which goes on by itself. */
export const MAX_WAIT_S = 45;
const POLL_MS = 500;

export interface SyncResource {
  readonly group?: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

interface Wanted {
  readonly revision: string | undefined;
  readonly dry_run: boolean;
  readonly prune: boolean;
  readonly resources: readonly SyncResource[];
}

/** What was deployed before, or what the application follows anyway: nothing that a caller made up. */
function checkedRevision(found: Json, revision: string | undefined): void {
  if (revision === undefined) return;
  const before = itemsOf(partOf(found, "status"), "history").map((entry) => textOf(entry, "revision"));
  const tracked = sourcesOf(partOf(found, "spec")).map(
    (source) => textOf(source, "targetRevision") || "HEAD",
  );
  if ([...before, ...tracked].includes(revision)) return;
  throw new ToolFault("invalid_argument", "the application neither follows this revision nor ever ran it", {
    hint: "give one of its history in full, or leave revision out",
  });
}

const isRunning = (application: Json): boolean =>
  application["operation"] !== undefined ||
  /^(Running|Terminating)$/.test(textOf(partOf(partOf(application, "status"), "operationState"), "phase"));

async function pause(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, POLL_MS);
    signal.addEventListener("abort", done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
  signal.throwIfAborted();
}

/** Starts a sync, and follows it to its end or to the end of the caller's patience. */
export async function syncApplication(
  access: Access,
  application: Application,
  wanted: Wanted,
): Promise<object> {
  const { name, namespace, project } = application;
  const found = await getApplication(access, application);
  checkedRevision(found, wanted.revision);
  if (isRunning(found)) throw new ToolFault("busy", "another operation of this application is running");
  const { dry_run, prune, resources, revision } = wanted;
  const place = { name, appNamespace: namespace, project };
  await ask(
    access,
    ["applications", name, "sync"],
    {},
    {
      ...place,
      dryRun: dry_run,
      prune,
      ...(revision === undefined ? {} : { revision }),
      ...(resources.length === 0 ? {} : { resources }),
    },
  );
  const deadline = performance.now() + MAX_WAIT_S * 1000;
  let current = await getApplication(access, application);
  while (isRunning(current) && performance.now() < deadline) {
    await pause(access.signal);
    current = await getApplication(access, application);
  }
  const finished = !isRunning(current);
  return { name, dry_run, prune, finished, operation: operationOf(partOf(current, "status")) };
}
