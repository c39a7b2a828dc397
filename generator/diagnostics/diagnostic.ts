import type { Path } from "../model/topology.ts";
import type { DiagnosticCode } from "./codes.ts";

/** A place in a file; lines and columns start at 1, columns count UTF-16 code units. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A problem that a person can act on. `message` names what is wrong and what to do; it never holds a secret. */
export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly severity: "error" | "warning";
  readonly message: string;
  readonly at: Position;
  /** The named path of the value, for example `/components/cnpg/databases/app_db/password`. */
  readonly path: string;
}

/** A diagnostic before its position is known: positions cost a second parse and are looked up only when needed. */
export interface Finding {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly path: Path;
  /** Point at the key instead of the value; the default is the key where there is one. */
  readonly on?: "key" | "value";
}
