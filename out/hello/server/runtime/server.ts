import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Server } from "node:http";
import type { Adapter, CreateAdapter } from "#runtime/protocol/adapter";
import { createApprovalPage } from "#runtime/door/approval-page";
import { openApprovalWebhook } from "#runtime/approval/webhook";
import type { ApprovalWebhook } from "#runtime/approval/webhook";
import { createApprovalRoutes } from "#runtime/approval/routes";
import { openAudit } from "#runtime/audit/audit";
import type { Audit } from "#runtime/audit/audit";
import { readAuditSettings } from "#runtime/audit/settings";
import type { Call, Outcome } from "#runtime/call/call";
import { openExchange } from "#runtime/call/exchange";
import { createFrontDoor } from "#runtime/door/front-door";
import { openCallers } from "#runtime/identity/callers";
import { stdioPrincipal } from "#runtime/identity/identity";
import type { Principal } from "#runtime/identity/identity";
import { createInFlight } from "#runtime/call/in-flight";
import type { InFlight } from "#runtime/call/in-flight";
import { createMetrics, serveMetrics } from "#runtime/telemetry/metrics";
import type { Metrics } from "#runtime/telemetry/metrics";
import { createService } from "#runtime/protocol/mcp-service";
import { createPipeline } from "#runtime/pipeline";
import { createRedactor } from "#runtime/redactor";
import type { Redactor } from "#runtime/redactor";
import { openPolicyGate } from "#runtime/policy/gate";
import type { PolicyGate } from "#runtime/policy/gate";
import { embeddedProposals } from "#runtime/approval/store";
import { createProposals } from "#runtime/approval/proposals";
import type { Proposals } from "#runtime/approval/proposals";
import { memoryRates, readRateSettings } from "#runtime/policy/rate-limits";
import type { Registry } from "#runtime/registry";
import type { Rules } from "#runtime/rules";
import { demandCredentials } from "#runtime/required-credentials";
import { sessionNames } from "#runtime/protocol/session-names";
import { readServerSettings } from "#runtime/server-settings";
import type { ServerSettings } from "#runtime/server-settings";
import { demandRules, demandSurface } from "#runtime/surface/surface";
import type { Environment } from "#runtime/settings";
import { StartError } from "#runtime/start-error";
import { stateProbe } from "#runtime/door/state-probe";
import type { Surface } from "#runtime/surface/surface";
import { openTraceExport } from "#runtime/telemetry/trace-export";
import type { TraceExport } from "#runtime/telemetry/trace-export";
import { readTlsFiles } from "#runtime/door/tls";
import type { TlsFiles } from "#runtime/door/tls";
import { openSwitches } from "#runtime/policy/switches";
import type { Switches } from "#runtime/policy/switches";
import { openTools } from "#runtime/surface/tool-index";
import type { ToolIndex } from "#runtime/surface/tool-index";
import { watchedProposals } from "#runtime/approval/watched";
import { readWriteFlags } from "#runtime/write-flags";

export interface ServerOptions {
  readonly registry: Registry;
  readonly surface: Surface;
  /** Of `policy.json`; it may be replaced while the server runs. */
  readonly policyFile: string;
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
  /** Of the approvals page; `null` where it is not served. */
  readonly approvalsPort: number | null;
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
  readonly switches: Switches;
  readonly policy: PolicyGate;
  readonly stack: string;
  readonly tls: TlsFiles | undefined;
  readonly proposals: Proposals;
  readonly webhook: ApprovalWebhook | undefined;
  readonly pipeline: (call: Call) => Promise<Outcome>;
  readonly inFlight: InFlight;
  readonly adapter: Adapter;
  /** Missing where the server shares nothing. */
  readonly stateAnswers: (() => Promise<boolean>) | undefined;
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

function buildCore(options: ServerOptions): Core {
  const { registry, surface, policyFile, environment, adapter, transport } = options;
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
  const { approvalForWrites, twoPerson, maxResultBytes, stateDir } = settings;
  const { stack } = registry;
  const scope = registry.environment === null ? stack : `${stack}.${registry.environment}`;
  const isAlone = transport === "stdio" || settings.isAlone;
  const auditSettings = readAuditSettings(environment);
  const shared = isAlone ? undefined : registry.state?.(environment, scope, redactor.learn);
  const written = metrics.measured(openAudit(registry.stack, auditSettings, shared?.heads));
  const audit = traces?.traced(written) ?? written;
  const webhook = openApprovalWebhook(stack, environment);
  const store = watchedProposals(shared?.proposals ?? embeddedProposals(stateDir), (change, proposal) => {
    metrics.approval(change);
    webhook?.tell(change, proposal);
  });
  const proposals = createProposals(store, { twoPerson, entryOf: tools.find });
  const policy = openPolicyGate(policyFile);
  const switches = openSwitches(environment);
  const rates = shared?.rates ?? memoryRates();
  const rateSettings = readRateSettings(environment);
  const gates = { flags, tools, switches, policy, rates, rateSettings };
  const parts = { ...gates, proposals, audit, redactor, approvalForWrites, rules };
  const pipeline = createPipeline({ ...parts, maxResultBytes });
  const inFlight = createInFlight();
  const ownKey = randomBytes(32);
  const service = createService({
    registry,
    tools,
    flags,
    switches,
    policy,
    inFlight,
    rules,
    pipeline,
    sealingKey: shared?.sealingKey ?? (async () => ownKey),
    contentPipeline: createPipeline({ ...parts, maxResultBytes: MAX_CONTENT_BYTES }),
  });
  const tls = readTlsFiles(environment);
  return {
    ...gates,
    stack,
    tls,
    settings,
    redactor,
    audit,
    metrics,
    traces,
    proposals,
    webhook,
    pipeline,
    inFlight,
    adapter: adapter(service, shared && sessionNames(shared.sealingKey)),
    stateAnswers: shared && stateProbe(shared.answers),
  };
}

async function drain({ inFlight }: Core): Promise<void> {
  if (await inFlight.emptyWithin(DRAIN_MS)) return;
  inFlight.abortAll();
  await inFlight.emptyWithin(FLUSH_MS);
}

async function release({ adapter, tools, audit, traces, proposals, webhook }: Core): Promise<void> {
  await adapter.close();
  await tools.close();
  await webhook?.close();
  await audit.close();
  await proposals.store.close();
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

async function listen(server: Server, port: number, bind: string): Promise<void> {
  server.listen(port, bind);
  await once(server, "listening");
}

function portOf(server: Server): number | null {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : null;
}

async function startMetrics({ settings, metrics, audit, webhook }: Core): Promise<Server | undefined> {
  const { metricsPort, bind } = settings;
  return metricsPort === undefined
    ? undefined
    : await serveMetrics(() => metrics.text(audit, webhook?.counts()), bind, metricsPort);
}

/** A key that no grant is for looks, to its holder, like a server without tools. */
function warnStrangers({ policy }: Core, principals: readonly Principal[]): void {
  const strangers = principals.filter((principal) => !principal.delegated && !policy.isFor(principal));
  for (const { id } of strangers)
    process.stderr.write(
      `no grant of the policy is for ${id}: say whom it stands for (MCP_API_KEY_TEAM_ID, MCP_STDIO_TEAM_ID or keys.json)\n`,
    );
}

async function startHttp(options: ServerOptions): Promise<RunningServer> {
  const core = buildCore(options);
  const tokens = options.registry.tokens?.(options.environment);
  const callers = openCallers(options.environment, core.redactor.learn, tokens);
  warnStrangers(core, callers.all());
  const approvals = createApprovalRoutes({ ...core, current: callers.current });
  let open = true;
  const server = createFrontDoor({ ...core, callers, tokens, approvals, isOpen: () => open });
  const { port, bind, approvalsPort } = core.settings;
  if (approvalsPort !== undefined && tokens?.takesKeys === false)
    throw new StartError(
      "MCP_APPROVALS_PORT is set, but people log in there by a key, and no keys are drawn",
    );
  await listen(server, port, bind);
  const page = approvalsPort === undefined ? undefined : createApprovalPage({ ...core, callers, approvals });
  if (page !== undefined) await listen(page, approvalsPort ?? 0, bind);
  const metrics = await startMetrics(core);
  return {
    port: portOf(server),
    metricsPort: metrics === undefined ? null : portOf(metrics),
    approvalsPort: page === undefined ? null : portOf(page),
    ended: new Promise(() => undefined),
    close: onlyOnce(async () => {
      open = false;
      page?.close();
      page?.closeAllConnections();
      await closeHttp(server, core);
      metrics?.close();
    }),
  };
}

function startStdio(options: ServerOptions): RunningServer {
  const core = buildCore(options);
  const principal = stdioPrincipal(options.environment);
  warnStrangers(core, [principal]);
  const stop = new AbortController();
  const open = (): ReturnType<typeof openExchange> => {
    const exchange = openExchange(core.audit);
    exchange.note({ principal });
    return exchange;
  };
  return {
    port: null,
    metricsPort: null,
    approvalsPort: null,
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
