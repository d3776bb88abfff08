/** Quantities for people. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `1.5 MiB` */
export function bytesText(bytes: number): string {
  let scaled = bytes;
  let unit = 0;
  while (scaled >= 1024 && unit < UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${unit === 0 ? scaled : scaled.toFixed(1)} ${UNITS[unit]}`;
}

/** `0.4 s`, `12.3 s`, `4 min 5 s`, `2 h 3 min` */
export function durationText(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
}
