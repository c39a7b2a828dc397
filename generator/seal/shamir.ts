/** A data key that was split so that it takes several groups of people to open a file. */

/** Multiplication in the field of 256 elements that AES uses. */
function times(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >>> 7) * 0x11b);
    if ((b >>> bit) & 1) product ^= a;
  }
  return product;
}

/** Every element but zero is the inverse of its 254th power. */
function inverse(a: number): number {
  let result = 1;
  for (let power = 0; power < 254; power++) result = times(result, a);
  return result;
}

/**
 * The secret that the parts are points of: each holds the values of its polynomials and, last, their place.
 * `undefined` when two parts have one place, or lengths differ.
 */
export function combine(parts: readonly Uint8Array[]): Uint8Array | undefined {
  const length = (parts[0]?.length ?? 0) - 1;
  const places = parts.map((part) => part.at(-1) ?? 0);
  if (length < 1 || parts.some((part) => part.length !== length + 1)) return undefined;
  if (new Set(places).size !== places.length || places.includes(0)) return undefined;
  const weights = places.map((own, index) =>
    places.reduce(
      (weight, other, at) => (at === index ? weight : times(weight, times(other, inverse(own ^ other)))),
      1,
    ),
  );
  return Uint8Array.from({ length }, (_, at) =>
    parts.reduce((sum, part, index) => sum ^ times(part[at] ?? 0, weights[index] ?? 0), 0),
  );
}
