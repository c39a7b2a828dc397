import type { Environment } from "#runtime/settings";
import { StartError } from "#runtime/start-error";

/** What the operator can set about the server itself; every value has a ceiling that is not configurable. */
export interface ServerSettings {
  readonly bind: string;
  readonly port: number;
  /** Where metrics are read; nowhere when it is missing. */
  readonly metricsPort: number | undefined;
  readonly maxResultBytes: number;
  /** Host headers that are accepted besides the loopback names, in lower case. */
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Whether every write tool needs a person's approval, also where the drawing says write. */
  readonly approvalForWrites: boolean;
  /** Whether who proposes may not be who approves. */
  readonly twoPerson: boolean;
  /** Of the page on which people approve; without one there is no such page. */
  readonly approvalsPort: number | undefined;
  /** Where what must outlive the process is kept; nowhere when it is not set. */
  readonly stateDir: string | undefined;
  /** One process by itself, as on a workstation: limits and proposals stay in it, whatever state is drawn. */
  readonly isAlone: boolean;
}

/** A whole number within the range, or a StartError that names the variable. */
export function integerSetting(
  environment: Environment,
  name: string,
  range: { readonly fallback: number; readonly min: number; readonly max: number },
): number {
  const text = environment[name];
  if (text === undefined || text === "") return range.fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.min && value <= range.max) return value;
  throw new StartError(`${name} must be a whole number from ${range.min} to ${range.max}`);
}

/** The address in a variable, without a user in it, since addresses are printed. */
export function httpUrl(environment: Environment, name: string): URL | undefined {
  const text = environment[name];
  if (text === undefined || text === "") return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw new StartError(`${name} must be an http or https URL without a user in it`);
  return url;
}

/** A comma list in lower case. */
export function listSetting(environment: Environment, name: string): readonly string[] {
  return (environment[name] ?? "")
    .split(",")
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== "");
}

function choiceSetting(
  environment: Environment,
  name: string,
  choices: readonly string[],
): string | undefined {
  const text = environment[name];
  if (text === undefined || text === "") return undefined;
  if (choices.includes(text)) return text;
  throw new StartError(`${name} must be one of ${choices.join(", ")}`);
}

export function readServerSettings(environment: Environment): ServerSettings {
  const portVariable = environment["MCP_PORT"] === undefined ? "PORT" : "MCP_PORT";
  return {
    isAlone: choiceSetting(environment, "MCP_REPLICA_STATE", ["shared", "alone"]) === "alone",
    bind: environment["MCP_BIND"] || "127.0.0.1",
    port: integerSetting(environment, portVariable, { fallback: 8080, min: 0, max: 65_535 }),
    metricsPort: environment["MCP_METRICS_PORT"]
      ? integerSetting(environment, "MCP_METRICS_PORT", { fallback: 0, min: 0, max: 65_535 })
      : undefined,
    maxResultBytes: integerSetting(environment, "MCP_MAX_RESULT_BYTES", {
      fallback: 65_536,
      min: 4_096,
      max: 262_144,
    }),
    allowedHosts: listSetting(environment, "MCP_ALLOWED_HOSTS"),
    allowedOrigins: listSetting(environment, "MCP_ALLOWED_ORIGINS"),
    approvalForWrites:
      choiceSetting(environment, "MCP_APPROVAL_MODE", ["required", "flag", "off"]) === "required",
    twoPerson: choiceSetting(environment, "MCP_APPROVAL_TWO_PERSON", ["true", "false"]) !== "false",
    approvalsPort:
      (environment["MCP_APPROVALS_PORT"] ?? "") === ""
        ? undefined
        : integerSetting(environment, "MCP_APPROVALS_PORT", { fallback: 0, min: 0, max: 65_535 }),
    stateDir: environment["MCP_STATE_DIR"] || undefined,
  };
}
