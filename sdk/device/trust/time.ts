/**
 * How far a clock may be ahead of the newest signed time and still be believed, milliseconds: two years. A device that was off for
 * longer, or whose clock says 2099, goes by signed times until it has met its controller.
 */
const LONGEST_ABSENCE = 2 * 365 * 86_400_000;

/**
 * The time that expiry is judged by: the device's clock, where that is neither before the newest signed time nor far ahead of it;
 * otherwise signed time, and what has passed since it was learnt. A wrong clock so never locks updates out, and one that is set back
 * never makes anything valid that was seen to be replaced.
 */
export class TrustedTime {
  private readonly signed: number;
  /** What the clock said when it was first asked after that. */
  private seen: number | undefined;

  /** @param signed the newest signed time that counts, milliseconds since 1970. */
  constructor(signed: number) {
    this.signed = signed;
  }

  /** @param now what the clock says, milliseconds since 1970. */
  at(now: number): number {
    this.seen ??= now;
    if (isNear(now - this.signed)) return now;
    const passed = now - this.seen;
    return this.signed + (isNear(passed) ? passed : 0);
  }
}

function isNear(ahead: number): boolean {
  return ahead >= 0 && ahead <= LONGEST_ABSENCE;
}
