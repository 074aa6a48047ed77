/** How many numbers are remembered. */
const REMEMBERED = 128;

/** Tells numbers that come a second time soon after the first. */
export class Seen {
  private readonly numbers = new Set<number>();

  /** Whether a number is new; it is not from then on. */
  take(number: number): boolean {
    if (this.numbers.has(number)) return false;
    this.numbers.add(number);
    if (this.numbers.size > REMEMBERED) this.numbers.delete(this.numbers.values().next().value!);
    return true;
  }
}
