import { cutText, listOf, recordOf } from "#runtime/json-shape";

const MAX_ATTRIBUTES = 20;
const MAX_NAME = 100;
const MAX_VALUE = 200;

export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A value of OpenTelemetry as one of JSON; what is nested becomes text. */
function valueOf(value: unknown): string | number | boolean {
  const { stringValue, intValue, doubleValue, boolValue, ...other } = recordOf(value);
  if (typeof boolValue === "boolean") return boolValue;
  const number = Number(intValue ?? doubleValue ?? Number.NaN);
  if (Number.isFinite(number)) return number;
  return cutText(stringValue ?? JSON.stringify(other), MAX_VALUE);
}

/** The value of one attribute, or empty text. */
export function attribute(attributes: unknown, name: string): string {
  const found = listOf(attributes ?? []).find((each) => recordOf(each)["key"] === name);
  return found === undefined ? "" : String(valueOf(recordOf(found)["value"] ?? {}));
}

/** The first attributes, each of bounded length. */
export function attributesOf(attributes: unknown): Attributes {
  return Object.fromEntries(
    listOf(attributes ?? [])
      .slice(0, MAX_ATTRIBUTES)
      .map((each) => {
        const { key, value } = recordOf(each);
        return [cutText(key, MAX_NAME), valueOf(value ?? {})];
      }),
  );
}
