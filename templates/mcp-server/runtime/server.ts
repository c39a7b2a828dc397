import { once } from "node:events";
import type { Server } from "node:http";
import type { Adapter, CreateAdapter } from "#runtime/adapter";
import { openAudit } from "#runtime/audit";
import type { Audit } from "#runtime/audit";
import { readAuditSettings } from "#runtime/audit-settings";
import { openExchange } from "#runtime/exchange";
import { createFrontDoor } from "#runtime/front-door";
import { stdioPrincipal, takeApiKeys } from "#runtime/identity";
import { createInFlight } from "#runtime/in-flight";
import type { InFlight } from "#runtime/in-flight";
import { createMetrics, serveMetrics } from "#runtime/metrics";
import type { Metrics } from "#runtime/metrics";
import { createService } from "#runtime/mcp-service";
import { createPipeline } from "#runtime/pipeline";
import { createRedactor } from "#runtime/redactor";
import type { Redactor } from "#runtime/redactor";
import type { Registry } from "#runtime/registry";
import type { Rules } from "#runtime/rules";
import { demandCredentials } from "#runtime/required-credentials";
import { readServerSettings } from "#runtime/server-settings";
import type { ServerSettings } from "#runtime/server-settings";
import { demandRules, demandSurface } from "#runtime/surface";
import type { Environment } from "#runtime/settings";
import { StartError } from "#runtime/start-error";
import type { Surface } from "#runtime/surface";
import { openTraceExport } from "#runtime/trace-export";
import type { TraceExport } from "#runtime/trace-export";
import { openTools } from "#runtime/tool-index";
import type { ToolIndex } from "#runtime/tool-index";
import { readWriteFlags } from "#runtime/write-flags";

export interface ServerOptions {
  readonly registry: Registry;
  readonly surface: Surface;
  /** The API keys are removed from it as they are read. */
  readonly environment: Record<string, string | undefined>;
  readonly adapter: CreateAdapter;
  readonly transport?: "http" | "stdio";
}

export interface RunningServer {
  /** `null` over stdio. */
  readonly port: number | null;
  /** `null` when none was asked for. */
  readonly metricsPort: number | null;
  /** Resolves when a stdio client has closed its end; never over HTTP. */
  readonly ended: Promise<void>;
  /** Lets calls in flight end, within ten seconds, and releases everything. */
  close(): Promise<void>;
}

/** Of one resource or prompt: as much as one result of a tool may ever be. */
const MAX_CONTENT_BYTES = 262_144;
const DRAIN_MS = 10_000;
const FLUSH_MS = 1_000;

/** Everything that is the same for both transports. */
interface Core {
  readonly settings: ServerSettings;
  readonly redactor: Redactor;
  readonly audit: Audit;
  readonly metrics: Metrics;
  readonly traces: TraceExport | undefined;
  readonly tools: ToolIndex;
  readonly inFlight: InFlight;
  readonly adapter: Adapter;
}

function openRules(
  { rules, stack, environment: env }: Registry,
  environment: Environment,
): Rules | undefined {
  const opaUrl = environment["OPA_URL"] || undefined;
  if (rules === undefined && opaUrl !== undefined)
    throw new StartError(
      "OPA_URL is set, but no rules are drawn, so it would not be asked: name rules in the drawing",
    );
  return rules?.({ stack, environment: env, opaUrl });
}

function buildCore({ registry, surface, environment, adapter }: ServerOptions): Core {
  const settings = readServerSettings(environment);
  demandCredentials(registry.credentials, environment);
  const flags = readWriteFlags(registry.flags, environment);
  const redactor = createRedactor();
  const rules = openRules(registry, environment);
  const tools = openTools(registry, environment, redactor.learn, rules?.takesChangeRef);
  demandSurface(surface, registry, tools);
  demandRules(surface, rules?.files ?? []);
  const metrics = createMetrics(rules?.revision ?? null);
  const endpoint = environment["OTEL_EXPORTER_OTLP_ENDPOINT"];
  const traces = endpoint ? openTraceExport(registry.stack, endpoint) : undefined;
  const written = metrics.measured(openAudit(registry.stack, readAuditSettings(environment)));
  const audit = traces?.traced(written) ?? written;
  const { approvalForWrites, maxResultBytes } = settings;
  const parts = { flags, audit, redactor, approvalForWrites, rules };
  const inFlight = createInFlight();
  const service = createService({
    registry,
    tools,
    flags,
    inFlight,
    rules,
    pipeline: createPipeline({ ...parts, maxResultBytes }),
    contentPipeline: createPipeline({ ...parts, maxResultBytes: MAX_CONTENT_BYTES }),
  });
  return { settings, redactor, audit, metrics, traces, tools, inFlight, adapter: adapter(service) };
}

async function drain({ inFlight }: Core): Promise<void> {
  if (await inFlight.emptyWithin(DRAIN_MS)) return;
  inFlight.abortAll();
  await inFlight.emptyWithin(FLUSH_MS);
}

async function release({ adapter, tools, audit, traces }: Core): Promise<void> {
  await adapter.close();
  await tools.close();
  await audit.close();
  await traces?.close();
}

async function closeHttp(server: Server, core: Core): Promise<void> {
  const closed = once(server, "close");
  server.close();
  await drain(core);
  await core.adapter.close();
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), FLUSH_MS);
  await closed;
  clearTimeout(cut);
  await release(core);
}

/** Runs `work` once, however often it is asked for. */
function onlyOnce(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return async () => await (done ??= work());
}

function portOf(server: Server): number | null {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : null;
}

async function startMetrics({ settings, metrics, audit }: Core): Promise<Server | undefined> {
  const { metricsPort, bind } = settings;
  return metricsPort === undefined
    ? undefined
    : await serveMetrics(() => metrics.text(audit), bind, metricsPort);
}

async function startHttp(options: ServerOptions): Promise<RunningServer> {
  const core = buildCore(options);
  const keys = takeApiKeys(options.environment, core.redactor.learn);
  let open = true;
  const server = createFrontDoor({ ...core, keys, isOpen: () => open });
  server.listen(core.settings.port, core.settings.bind);
  await once(server, "listening");
  const metrics = await startMetrics(core);
  return {
    port: portOf(server),
    metricsPort: metrics === undefined ? null : portOf(metrics),
    ended: new Promise(() => undefined),
    close: onlyOnce(async () => {
      open = false;
      await closeHttp(server, core);
      metrics?.close();
    }),
  };
}

function startStdio(options: ServerOptions): RunningServer {
  const core = buildCore(options);
  const principal = stdioPrincipal(options.environment);
  const stop = new AbortController();
  const open = (): ReturnType<typeof openExchange> => {
    const exchange = openExchange(core.audit);
    exchange.note({ principal });
    return exchange;
  };
  return {
    port: null,
    metricsPort: null,
    ended: core.adapter.serveStdio(open, stop.signal),
    close: onlyOnce(async () => {
      await drain(core);
      stop.abort();
      await release(core);
    }),
  };
}

/**
 * Starts one emitted server. Rejects with a StartError or SettingError, before anything listens, when the
 * environment, the lock or the key does not allow it.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  return options.transport === "stdio" ? startStdio(options) : await startHttp(options);
}
