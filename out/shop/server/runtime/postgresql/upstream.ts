import { ToolFault } from "#runtime/fault";
import type { FaultCode } from "#runtime/fault";
import { placeOf } from "#runtime/postgresql/parser";

interface Meaning {
  readonly states: RegExp;
  readonly code: FaultCode;
  /** Left out, the server's own words are passed on: they name what the caller wrote. */
  readonly message?: string;
  readonly hint?: string;
}

const OUT_OF_MEMORY: Meaning = {
  states: /^53/,
  code: "too_large",
  message: "the statement needs more memory or disk than it may use",
  hint: "narrow it",
};
const MEANINGS: readonly Meaning[] = [
  { states: /^42501$/, code: "denied", hint: "the account of this link has no right to it" },
  {
    states: /^25006$/,
    code: "denied",
    message: "the statement would write, and this is a read-only transaction",
  },
  {
    states: /^57014$/,
    code: "timeout",
    message: "the statement took too long and was cancelled",
    hint: "narrow it, or look at its plan with explain: plan",
  },
  {
    states: /^55P03$/,
    code: "timeout",
    message: "another session holds a lock that the statement needs",
    hint: "try again later",
  },
  { states: /^(42P01|3F000)$/, code: "not_found", hint: "look the name up with the tool that lists tables" },
  { states: /^(53300|40001|40P01)$/, code: "busy", message: "the database is busy", hint: "try again later" },
  OUT_OF_MEMORY,
  {
    states: /^(28|3D)/,
    code: "upstream_unavailable",
    message: "the database does not accept this link's account",
    hint: "apply the link's role SQL and check its user and password",
  },
  { states: /^(0A|21|22|23|42|54|2201|P0)/, code: "invalid_argument" },
];

function text(value: object, key: string): string {
  const found: unknown = Reflect.get(value, key);
  return typeof found === "string" ? found : "";
}

/** Adds the place in the caller's SQL; `prefix` is what was put in front of it before it was sent. */
function withPlace(error: Error, sql: string, prefix: number): string {
  const message = error.message.length > 500 ? `${error.message.slice(0, 500)}…` : error.message;
  const position = Number(text(error, "position")) - 1 - prefix;
  return sql !== "" && position >= 0 ? `${message} (${placeOf(sql, position)})` : message;
}

function ofServer(error: Error, state: string, sql: string, prefix: number): ToolFault {
  const meaning = /invalid memory alloc/.test(error.message)
    ? OUT_OF_MEMORY
    : MEANINGS.find(({ states }) => states.test(state));
  if (meaning === undefined) {
    return new ToolFault("upstream_unavailable", `the database answered with error ${state}`, {
      cause: error,
    });
  }
  const message = meaning.message ?? withPlace(error, sql, prefix);
  return new ToolFault(meaning.code, message, {
    ...(meaning.hint === undefined ? {} : { hint: meaning.hint }),
    cause: error,
  });
}

/**
 * What went wrong, for the caller: no host, no user, no stack. Words of the server pass only where they speak
 * of the caller's own statement.
 */
export function faultOf(error: unknown, sql = "", prefix = 0): ToolFault {
  if (error instanceof ToolFault) return error;
  if (!(error instanceof Error)) return new ToolFault("internal", "the call failed", { cause: error });
  const code = text(error, "code");
  if (/^[0-9A-Z]{5}$/.test(code) && text(error, "severity") !== "") return ofServer(error, code, sql, prefix);
  if (error instanceof TypeError || error instanceof RangeError) {
    return new ToolFault("internal", "the call failed", { cause: error });
  }
  const tls = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code) || /SSL|certificate/i.test(error.message);
  return new ToolFault(
    "upstream_unavailable",
    tls ? "no trusted TLS connection to the database" : "the database cannot be reached",
    {
      hint: tls
        ? "check the SSLMODE and CA_FILE variables of this link"
        : "check that it runs and that the link's HOST and PORT are right",
      cause: error,
    },
  );
}
