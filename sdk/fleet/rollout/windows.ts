import type { Window } from './spec.ts';

const DAY = 1440;

/** Whether a time (milliseconds since 1970) is in one of the windows; there is no bad time where there is none. */
export function isOpen(windows: readonly Window[], now: number): boolean {
  return windows.length === 0 || windows.some((w) => isIn(w, now));
}

function isIn({ days, from, to, offsetMinutes }: Window, now: number): boolean {
  const minutes = Math.floor(now / 60_000) + offsetMinutes;
  const minute = mod(minutes, DAY);
  // 1970 began on a Thursday.
  const day = mod(Math.floor(minutes / DAY) + 4, 7);
  const [start, end] = [minuteOf(from), minuteOf(to)];
  const allowed = (d: number): boolean => days === undefined || days.includes(mod(d, 7));
  if (start < end) return minute >= start && minute < end && allowed(day);
  // What began yesterday belongs to yesterday.
  return (minute >= start && allowed(day)) || (minute < end && allowed(day - 1));
}

function minuteOf(time: string): number {
  const [hours, minutes] = time.split(':').map(Number);
  return hours! * 60 + minutes!;
}

function mod(a: number, b: number): number {
  return ((a % b) + b) % b;
}
