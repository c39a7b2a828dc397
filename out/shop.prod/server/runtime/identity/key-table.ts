import { ROLES } from "#runtime/identity/identity";
import type { ApiKey } from "#runtime/identity/identity";
import { parseStrictJson } from "#runtime/strict-json";

/** One row of `keys.json`: the digest of a key, whom it stands for, and how far. */
export interface KeyRow extends ApiKey {
  /** In milliseconds; from then on the key is none. */
  readonly notAfter: number;
}

const MEMBERS = ["id", "sha256", "human_id", "agent_id", "team_id", "role", "delegate", "not_after"];
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const DIGEST = /^[0-9a-f]{64}$/;
const NAME = /^[\x20-\x7e]{0,128}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

type Members = Readonly<Record<string, unknown>>;

function demand(holds: boolean, row: number, problem: string): asserts holds {
  if (!holds) throw new Error(`cannot be used: key ${row} ${problem}`);
}

function nameIn(members: Members, member: string, row: number): string | null {
  const value = members[member] ?? "";
  demand(typeof value === "string" && NAME.test(value), row, `has a ${member} that is no name`);
  return value === "" ? null : value;
}

function endOf(value: unknown, row: number): number {
  if (value === undefined || value === null || value === "") return Number.POSITIVE_INFINITY;
  const end = typeof value === "string" && INSTANT.test(value) ? Date.parse(value) : Number.NaN;
  demand(!Number.isNaN(end), row, "has a not_after that is no instant such as 2027-01-01T00:00:00Z");
  return end;
}

function rowOf(value: unknown, at: number): KeyRow {
  const row = at + 1;
  demand(typeof value === "object" && value !== null && !Array.isArray(value), row, "is not an object");
  const members = value as Members;
  const stranger = Object.keys(members).find((member) => !MEMBERS.includes(member));
  demand(stranger === undefined, row, `has an unknown member ${stranger ?? ""}`);
  const { id, sha256, role, delegate = false, not_after: notAfter } = members;
  demand(typeof id === "string" && ID.test(id), row, "needs an id of letters and digits");
  demand(typeof sha256 === "string" && DIGEST.test(sha256), row, "needs sha256, the key's digest in hex");
  const known = ROLES.find((each) => each === role);
  demand(known !== undefined, row, `needs a role: ${ROLES.join(", ")}`);
  demand(typeof delegate === "boolean", row, "has a delegate that is neither true nor false");
  return {
    digest: Buffer.from(sha256, "hex"),
    notAfter: endOf(notAfter, row),
    principal: {
      id: `key:${id}`,
      human: nameIn(members, "human_id", row),
      agent: nameIn(members, "agent_id", row),
      team: nameIn(members, "team_id", row),
      role: known,
      delegated: delegate,
      session: null,
    },
  };
}

/** Reads `keys.json`; throws an Error that goes on after the file's name. It holds digests, so that it gives away no key. */
export function parseKeys(text: string): readonly KeyRow[] {
  let json: ReturnType<typeof parseStrictJson>;
  try {
    json = parseStrictJson(text);
  } catch {
    throw new Error("is not valid JSON");
  }
  if ("objection" in json) throw new Error(json.objection);
  if (!Array.isArray(json.value)) throw new Error("must be a list of keys");
  const rows = json.value.map(rowOf);
  const isTwice = (of: (row: KeyRow) => string): boolean => new Set(rows.map(of)).size < rows.length;
  if (isTwice(({ principal }) => principal.id)) throw new Error("names one id twice");
  if (isTwice(({ digest }) => digest.toString("hex"))) throw new Error("has one key twice");
  return rows;
}
