/** Waits between attempts, milliseconds. */
export interface Backoff {
  /** The longest first wait. */
  readonly first: number;
  readonly longest: number;
}

/**
 * How long to wait after so many attempts that failed (from 1): anything up to a limit that doubles. Of many that failed together no two
 * come back together, which half of the wait being fixed would not give.
 * @param random uniform in [0, 1).
 */
export function fullJitter({ first, longest }: Backoff, attempts: number, random: () => number): number {
  return random() * Math.min(longest, first * 2 ** Math.min(attempts - 1, 30));
}
