import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../util/clock.ts';

interface Event {
  readonly at: number;
  readonly call: () => void;
}

/**
 * A clock whose time passes only while nothing can be done without it: hours of waiting take as long as the work in them. What runs
 * under it must wait for nothing but this clock and itself.
 */
export class SimulatedClock implements Clock {
  private time = 0;
  /** Sorted, the next one last. */
  private readonly events: Event[] = [];

  /** Of a day in 2033. */
  now(): number {
    return 2_000_000_000_000 + this.time;
  }

  monotonic(): number {
    return this.time;
  }

  after(milliseconds: number, call: () => void): () => void {
    const event = { at: this.time + Math.max(0, milliseconds), call };
    let [low, high] = [0, this.events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.events[middle]!.at > event.at) low = middle + 1;
      else high = middle;
    }
    this.events.splice(low, 0, event);
    return () => {
      const at = this.events.indexOf(event);
      if (at >= 0) this.events.splice(at, 1);
    };
  }

  /** Lets time pass until a promise is settled. @throws Error when nothing is left that it could wait for. */
  async run<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const end = (): void => {
      settled = true;
    };
    work.then(end, end);
    for (;;) {
      await nextTurn();
      if (settled) return work;
      const next = this.events.pop();
      if (!next) throw new Error('simulated time: what is awaited waits for no event');
      this.time = next.at;
      next.call();
    }
  }

  /** Lets so much time pass. */
  async pass(milliseconds: number): Promise<void> {
    await this.run(new Promise<void>((resolve) => void this.after(milliseconds, resolve)));
  }
}
