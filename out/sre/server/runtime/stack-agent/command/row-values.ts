import type { Secret } from "#runtime/settings";
import { LINKED, SECRET, variableOf } from "#runtime/stack-agent/variables";
import type { Row } from "#runtime/stack-agent/variables";
import type { Place } from "./place.ts";
import { placeName } from "./place.ts";
import type { Vocabulary } from "./prepare.ts";
import { CommandRefused } from "./refused.ts";

/** What a variable is for one row. */
export type RowValue =
  | { readonly is: "text"; readonly text: string }
  | { readonly is: "secret"; readonly secret: Secret | undefined }
  /** Of an application or an administrator: the link's account does not hold it. */
  | { readonly is: "foreign" }
  | { readonly is: "unknown" };

/** The place that a variable speaks of, and its name there. */
function sideOf(name: string, places: readonly Place[]): readonly [Place | undefined, string] {
  const [near, far] = places;
  return far !== undefined && name.startsWith(LINKED) ? [far, name.slice(LINKED.length)] : [near, name];
}

/** First what the link's own account says, then what was drawn. */
export function rowValue(row: Row, name: string, places: readonly Place[]): RowValue {
  const [place, ownName] = sideOf(name, places);
  const account = place?.account(ownName);
  if (account !== undefined) return account;
  const value = variableOf(row, name);
  if (value === SECRET) return { is: "foreign" };
  return value === undefined || typeof value === "object"
    ? { is: "unknown" }
    : { is: "text", text: String(value) };
}

function label(places: readonly Place[]): string {
  return places[0] === undefined ? "this row" : placeName(places[0]);
}

/** The variables of a row as the commands for it use them; every misuse is a CommandRefused. */
export function rowVocabulary(row: Row, places: readonly Place[]): Omit<Vocabulary, "capture"> {
  const valueOf = (name: string): RowValue => rowValue(row, name, places);
  const unknown = (name: string): CommandRefused =>
    new CommandRefused(
      "unresolved",
      `{${name}} means nothing for ${label(places)}`,
      "get_available_fields names what there is",
    );
  return {
    isSecret: (name) => valueOf(name).is === "secret",
    variable: (name) => {
      const value = valueOf(name);
      if (value.is === "text") return value.text;
      if (value.is === "unknown") throw unknown(name);
      throw new CommandRefused("secret_place", `{${name}} is a secret and may not stand here`);
    },
    secret: (name, place) => {
      const value = valueOf(name);
      if (value.is === "secret" && sideOf(name, places)[0] !== place) {
        throw new CommandRefused("secret_place", `{${name}} belongs to another component than the command`);
      }
      if (value.is === "secret" && value.secret !== undefined) return value.secret;
      if (value.is === "secret")
        throw new CommandRefused("unresolved", `the link's own account has no {${name}} here`);
      if (value.is === "foreign") {
        throw new CommandRefused("secret_place", `{${name}} does not belong to the link's own account`);
      }
      throw unknown(name);
    },
  };
}
