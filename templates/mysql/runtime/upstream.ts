import { ToolFault } from "#runtime/fault";
import type { FaultCode } from "#runtime/fault";

interface Meaning {
  readonly numbers: readonly number[];
  readonly code: FaultCode;
  /** Left out, the server's own words are passed on: they name what the caller wrote. */
  readonly message?: string;
  readonly hint?: string;
}

const MEANINGS: readonly Meaning[] = [
  {
    numbers: [1044, 1142, 1143, 1227, 1290, 1345, 1370, 1410],
    code: "denied",
    message: "the account of this link has no right to that",
  },
  {
    numbers: [1792],
    code: "denied",
    message: "the statement would write, and this is a read-only transaction",
  },
  {
    numbers: [1317, 1969, 3024],
    code: "timeout",
    message: "the statement took too long and was ended",
    hint: "narrow it, or look at its plan with explain: plan",
  },
  {
    numbers: [1205, 1213],
    code: "busy",
    message: "another session holds a lock that the statement needs",
    hint: "try again later",
  },
  {
    numbers: [1040, 1203, 1226],
    code: "busy",
    message: "the database has no connection left for this account",
    hint: "try again later",
  },
  {
    numbers: [1049, 1051, 1109, 1146],
    code: "not_found",
    hint: "look the name up with the tool that lists tables",
  },
  {
    numbers: [1045, 1130, 1133, 1251, 1275, 1698, 3118, 4151],
    code: "upstream_unavailable",
    message: "the database does not accept this link's account",
    hint: "apply the link's SQL and check its user and password",
  },
  {
    numbers: [1210],
    code: "invalid_argument",
    message: "the values in params do not match the ? of the statement",
  },
  { numbers: [1364, 1366], code: "invalid_argument" },
  {
    numbers: [1114, 1021, 1037, 1038, 1041, 3, 28],
    code: "too_large",
    message: "the statement needs more memory or disk than it may use",
    hint: "narrow it",
  },
];

const MAX_MESSAGE = 300;

function numberIn(error: object, key: string): number {
  const value: unknown = Reflect.get(error, key);
  return typeof value === "number" ? value : 0;
}

function textIn(error: object, key: string): string {
  const value: unknown = Reflect.get(error, key);
  return typeof value === "string" ? value : "";
}

function ofServer(error: Error, number: number): ToolFault {
  const meaning = MEANINGS.find(({ numbers }) => numbers.includes(number));
  const isCallers = /^(0A|21|22|23|42|44)/.test(textIn(error, "sqlState"));
  if (meaning === undefined && !isCallers)
    return new ToolFault("upstream_unavailable", `the database answered with error ${number}`, {
      cause: error,
    });
  const said = (textIn(error, "sqlMessage") || error.message)
    .replace(/'[^']{0,80}'@'[^']{0,255}'/g, "the account")
    .slice(0, MAX_MESSAGE);
  return new ToolFault(meaning?.code ?? "invalid_argument", meaning?.message ?? said, {
    ...(meaning?.hint === undefined ? {} : { hint: meaning.hint }),
    cause: error,
  });
}

/** What went wrong, for the caller: no host, no user, no stack. */
export function faultOf(error: unknown): ToolFault {
  if (error instanceof ToolFault) return error;
  if (!(error instanceof Error)) return new ToolFault("internal", "the call failed", { cause: error });
  const number = numberIn(error, "errno");
  if (number > 0) return ofServer(error, number);
  if (error instanceof TypeError || error instanceof RangeError)
    return new ToolFault("internal", "the call failed", { cause: error });
  const code = textIn(error, "code");
  const tls = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code) || /SSL|TLS|certificate/i.test(error.message);
  return new ToolFault(
    "upstream_unavailable",
    tls ? "no trusted TLS connection to the database" : "the database cannot be reached",
    {
      hint: tls
        ? "check the TLS and CA_FILE variables of this link; a certificate must be for the name in HOST"
        : "check that it runs and that the link's HOST and PORT are right",
      cause: error,
    },
  );
}
