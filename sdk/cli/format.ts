/** Text for people: sizes, times, aligned tables. */

/** `412 B`, `43.1 kB`, `1.92 MB`: three significant digits, powers of 1000. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? String(Math.round(value)) : threeDigits(value)} ${units[unit]}`;
}

/** `850 us`, `2.10 ms`, `1.35 s`, `2 min 05 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 1e-3) return `${threeDigits(seconds * 1e6)} us`;
  if (seconds < 1) return `${threeDigits(seconds * 1e3)} ms`;
  if (seconds < 100) return `${threeDigits(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

export function formatPercent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}

export function formatRatio(ratio: number): string {
  return `${threeDigits(ratio)}x`;
}

function threeDigits(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude >= 99.95) return value.toFixed(0);
  return value.toFixed(magnitude >= 9.995 ? 1 : 2);
}

/** A text that others wrote, without what a terminal takes as an order. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}

/** Rows as aligned columns, two spaces apart; columns whose index is in `right` are aligned to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows
    .map((row) =>
      row.map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('  '),
    )
    .map((line) => line.trimEnd())
    .join('\n');
}
