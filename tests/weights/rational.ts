/** Exact arithmetic to hold floating point against: a float64 is a whole number times 2^-1074. */

/** The value of a finite float64 in units of 2^-1074. */
export function exact(value: number): bigint {
  const bits = new BigUint64Array(Float64Array.of(value).buffer)[0] ?? 0n;
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const magnitude = exponent === 0
    ? fraction
    : (fraction | 0x10000000000000n) << BigInt(exponent - 1);
  return bits >> 63n === 0n ? magnitude : -magnitude;
}

/** |value - sum / count| <= limit, decided without rounding; `sum` in units of 2^-1074. */
export function isWithin(
  value: number,
  { sum, count, limit }: { sum: bigint; count: number; limit: number },
): boolean {
  const difference = exact(value) * BigInt(count) - sum;
  const magnitude = difference < 0n ? -difference : difference;
  return magnitude <= exact(limit) * BigInt(count);
}
