import type { Clock } from '../../util/clock.ts';
import type { Channel } from '../../wire/protocol/topics.ts';

/** A message of a device as it came. */
export interface Said {
  readonly device: string;
  readonly shard: string;
  readonly channel: Extract<Channel, 'up' | 'st'>;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly payload: Uint8Array;
}

/** For so long messages are kept, milliseconds: who writes them may be dead, it takes some seconds to notice, and more where machines are slow. */
const KEPT = 30_000;
/** Messages that are kept, some MB. */
const MOST = 20_000;

/**
 * What a controller heard last of devices that another one writes for. The other may be dead, or have passed them on and nobody has them yet: who
 * takes a shard writes what was said meanwhile. Some of it is written already, and writing twice comes to the same.
 */
export class Overheard {
  private readonly clock: Clock;
  /** With the time of a clock that nobody sets, the oldest first. */
  private kept: { readonly since: number; readonly said: Said }[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  add(said: Said): void {
    const now = this.clock.monotonic();
    // Without a copy, a few bytes would keep all of what the transport read with them.
    this.kept.push({ since: now, said: { ...said, payload: new Uint8Array(said.payload) } });
    // Seldom, since everything moves.
    if (this.kept.length >= 2 * MOST) this.forget(now);
  }

  /** What was said last in these shards, in order; it is kept no longer. */
  take(shards: ReadonlySet<string>): Said[] {
    this.forget(this.clock.monotonic());
    const taken = this.kept.filter(({ said }) => shards.has(said.shard));
    this.kept = this.kept.filter(({ said }) => !shards.has(said.shard));
    return taken.map(({ said }) => said);
  }

  private forget(now: number): void {
    const first = this.kept.findIndex(({ since }) => since > now - KEPT);
    this.kept = first < 0 ? [] : this.kept.slice(Math.max(first, this.kept.length - MOST));
  }
}
