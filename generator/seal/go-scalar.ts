/**
 * Unquoted scalars as Go's YAML and JSON libraries take them, which SOPS reads files with.
 *
 * They differ from YAML 1.2 in what they take for a number, and the code over a file covers the number, not
 * the way in which it was written: `0x1F` counts as `31`.
 */
import type { Typed } from "./tree.ts";

const WORDS: ReadonlyMap<string, Typed> = new Map<string, Typed>([
  ...["true", "True", "TRUE"].map((word) => [word, { type: "bool", text: "True" }] as const),
  ...["false", "False", "FALSE"].map((word) => [word, { type: "bool", text: "False" }] as const),
  ...["", "~", "null", "Null", "NULL"].map((word) => [word, { type: "null", text: "" }] as const),
  ...[".nan", ".NaN", ".NAN"].map((word) => [word, { type: "float", text: "NaN" }] as const),
  ...["", "+"].flatMap((sign) =>
    [".inf", ".Inf", ".INF"].map((word) => [sign + word, { type: "float", text: "+Inf" }] as const),
  ),
  ...["-.inf", "-.Inf", "-.INF"].map((word) => [word, { type: "float", text: "-Inf" }] as const),
]);

const LEAST = -(2n ** 63n);
const MOST = 2n ** 63n - 1n;
const MOST_UNSIGNED = 2n ** 64n - 1n;

/** Every digit of a number, as Go prints it without an exponent: `1e21` is a one with 21 zeros. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(Object.is(value, -0) ? "-0" : String(value)) ?? [];
  const point = whole.length + Number(exponent);
  const digits = whole + fraction;
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits + "0".repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

const INTEGER = /^([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

function integer(text: string): bigint | undefined {
  const [, sign, hex, binary, octal, decimal] = INTEGER.exec(text) ?? [];
  const written =
    (hex !== undefined && `0x${hex}`) ||
    (binary !== undefined && `0b${binary}`) ||
    (octal !== undefined && `0o${octal}`) ||
    decimal;
  if (written === undefined) return undefined;
  return sign === "-" ? -BigInt(written) : BigInt(written);
}

const TIME =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2}))|(?: (\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?))?$/;

/** A time in the one form that Go prints, RFC 3339 with as many digits of the second as there are. */
function time(text: string): string | undefined {
  const [whole, year, month, day, ...rest] = TIME.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const [hour = rest[5], minute = rest[6], second = rest[7], fraction = rest[8], zone = "Z"] = rest;
  const two = (part: string | undefined): string => (part ?? "0").padStart(2, "0");
  const clock = [hour, minute, second].map(two).join(":");
  const instant = `${year}-${two(month)}-${two(day)}T${clock}`;
  if (Number.isNaN(Date.parse(`${instant}Z`)) || !isDay(Number(year), Number(month), Number(day)))
    return undefined;
  const digits = (fraction ?? "").replace(/0+$/, "");
  return `${instant}${digits === "" ? "" : `.${digits}`}${zone === "+00:00" ? "Z" : zone}`;
}

function isDay(year: number, month: number, day: number): boolean {
  return day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** `undefined` for a number that Go holds in no type that SOPS knows. */
function number(text: string, isJson: boolean): Typed | undefined | "text" {
  const whole = integer(text);
  if (whole !== undefined && whole >= LEAST && whole <= MOST) return { type: "int", text: String(whole) };
  if (whole !== undefined && !isJson && whole >= 0 && whole <= MOST_UNSIGNED) return undefined;
  return FLOAT.test(text) ? { type: "float", text: floatText(Number(text)) } : "text";
}

/**
 * What an unquoted scalar is: a text, or something typed. `undefined` for one that SOPS itself refuses.
 */
export function resolveScalar(text: string, isJson: boolean): string | Typed | undefined {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  if (!/^[-+.0-9]/.test(text)) return text;
  const instant = isJson ? undefined : time(text);
  if (instant !== undefined) return { type: "time", text: instant };
  const resolved = number(text.replaceAll("_", ""), isJson);
  return resolved === "text" ? text : resolved;
}
