import { placeName, scopeOf } from "./place.ts";
import type { Place } from "./place.ts";
import { prepare } from "./prepare.ts";
import type { Prepared, Vocabulary } from "./prepare.ts";
import { CommandRefused } from "./refused.ts";
import type { ExecutableRule } from "./rules.ts";
import type { ParsedStep, Reading } from "./script.ts";

type ProgramStep = Extract<ParsedStep, { is: "program" }>;

/** What a row offers to the commands that are run for it. */
export interface Surroundings {
  /** What the row is about, and the other end of its link. */
  readonly places: readonly Place[];
  /** Linked components whose programs serve every row. */
  readonly everywhere: readonly Place[];
  /** The host of the route that the row is, with the component that it leads to. */
  readonly route: { readonly host: string; readonly to: string } | null;
}

/** Namespaces of what the row is about and a link reaches; of those, the ones drawn on `place`, if any are. */
function namespacesFor(place: Place, { places }: Surroundings): readonly string[] {
  const drawn = scopeOf(place);
  const reached = places.filter(({ reach }) => reach !== null).map(({ component }) => component.namespace);
  return reached.filter((name) => name !== "" && (drawn.length === 0 || drawn.includes(name)));
}

function suits(rule: ExecutableRule, surroundings: Surroundings): readonly Place[] {
  const places = rule.ambient === true ? surroundings.everywhere : surroundings.places;
  return places.filter(({ component }) => rule.types.includes(component.type));
}

function notLinked(places: readonly Place[], name: string): CommandRefused {
  const names = [...new Set(places.map(placeName))].join(", ");
  return names === ""
    ? new CommandRefused("not_linked", `no link leads to a component that has ${name}`)
    : new CommandRefused("not_linked", `no link leads to ${names}`, "draw mcp -> it to have it tested");
}

/** Refuses a row that no link of the MCP server leads to, whatever is to be run for it. */
export function demandLinked({ places }: Surroundings): void {
  if (places.every(({ reach }) => reach === null)) throw notLinked(places, "anything to test");
}

function attempt(
  reading: Reading,
  place: Place,
  surroundings: Surroundings,
  values: Vocabulary,
): Prepared | CommandRefused {
  const namespaces = namespacesFor(place, surroundings);
  // A credential goes to the component itself, never through a gateway.
  const logsIn = reading.options.some(({ flag }) => flag.config !== undefined);
  const leadsHere = surroundings.route?.to === place.component.name && !logsIn;
  const route = leadsHere ? (surroundings.route?.host ?? null) : null;
  try {
    return prepare(reading, { place, namespaces, route }, values);
  } catch (error) {
    if (error instanceof CommandRefused) return error;
    throw error;
  }
}

function unsuited(step: ProgramStep, surroundings: Surroundings): CommandRefused {
  const refused = step.refusals.find(({ rule }) => suits(rule, surroundings).length > 0);
  if (refused !== undefined) return refused.refusal;
  const types = [...new Set(surroundings.places.map(({ component }) => component.type))].join(" or ");
  return new CommandRefused("not_allowed", `${step.name} is not for a component of type ${types}`);
}

/**
 * Finds the place that a program is for and makes it ready to start. Throws a CommandRefused: `not_linked` when
 * no link of the MCP server leads there, and else the first reason why the values do not fit.
 */
export function bind(step: ProgramStep, surroundings: Surroundings, values: Vocabulary): Prepared {
  if (step.readings.length === 0) throw notLinked([], step.name);
  const pairs = step.readings.flatMap((reading) =>
    suits(reading.rule, surroundings).map((place) => ({ reading, place })),
  );
  if (pairs.length === 0) throw unsuited(step, surroundings);
  const linked = pairs.filter(({ place }) => place.reach !== null);
  if (linked.length === 0)
    throw notLinked(
      pairs.map(({ place }) => place),
      step.name,
    );
  const results = linked.map(({ reading, place }) => attempt(reading, place, surroundings, values));
  const ready = results.find((result): result is Prepared => !(result instanceof CommandRefused));
  if (ready !== undefined) return ready;
  throw results[0];
}
