import { EigenError } from '../util/errors.ts';

/** Lets so many work at a time, and so many wait in order of their coming; more are turned away. */
export class Turns {
  /** Raised or lowered at any time; what works goes on. */
  atATime: number;
  private readonly mostWaiting: number;
  private working = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(atATime: number, mostWaiting: number) {
    this.atATime = atATime;
    this.mostWaiting = mostWaiting;
  }

  /** Those that wait. */
  get size(): number {
    return this.waiting.length;
  }

  /** Works when it is its turn. @throws EigenError EW7102_LINK_FULL when too many wait. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.working >= this.atATime) await this.turn();
    else this.working++;
    try {
      return await work();
    } finally {
      this.working--;
      this.callNext();
    }
  }

  private turn(): Promise<void> {
    if (this.waiting.length >= this.mostWaiting)
      throw new EigenError('EW7102_LINK_FULL', `link: ${this.waiting.length} messages wait to be sent already`, {
        hint: 'Send less at a time, or wait for what was sent.',
      });
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private callNext(): void {
    while (this.working < this.atATime && this.waiting.length > 0) {
      this.working++;
      this.waiting.shift()!();
    }
  }
}
