import { mkdtemp, rm } from 'node:fs/promises';
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { bytesSource, describeBlob } from '../../sdk/bundle/index.ts';
import { Agent } from '../../sdk/device/agent/agent.ts';
import { bundleLoader } from '../../sdk/device/agent/bundle-loader.ts';
import type { Tensors } from '../../sdk/device/agent/model.ts';
import { NodeDeviceFileSystem } from '../../sdk/device/fs/node.ts';
import { Monitor } from '../../sdk/device/service/monitor.ts';
import { offsetsOf } from '../../sdk/wire/blob.ts';
import { threadTime } from './thread-time.ts';
import { Witness } from './witness.ts';

/** Two models to change between, and what each answers to the same inputs. */
export interface Contestant {
  readonly bundle: Uint8Array;
  isAnswer(outputs: Tensors): boolean;
}

/** What applications notice of models that change: milliseconds from one answer to the next. */
export interface SwapFigures {
  readonly swaps: number;
  readonly inferences: number;
  /** Inferences that threw, and answers that no model gives or another one than was said. */
  readonly failed: number;
  readonly mixed: number;
  /** While nothing changes; while models change. */
  readonly still: Pauses;
  readonly swapping: Pauses;
  /** The longest of each swap, in time of the thread: what else the machine does is not in it. */
  readonly own: Pauses;
  /** Time of the thread for one inference, half of them. */
  readonly inference: number;
  /** Of more than one inference and `GRACE`, in time of the thread. */
  readonly long: readonly LongPause[];
  /** How many of them are still, without the time that the processor did nothing for the thread. */
  readonly beyond: number;
  /** Whether that time could be told; else it is 0. */
  readonly witnessed: boolean;
}

/** Milliseconds. */
export interface LongPause {
  /** Time of the thread, as the system counts it. */
  readonly own: number;
  readonly wall: number;
  /** Of that, the processor did nothing for any thread. */
  readonly stood: number;
}

/** What a swap may take of an application's time beside the inference that it waits for anyway, milliseconds. */
export const GRACE = 5;

/** How long inferences run before models change, milliseconds: what else this machine does delays them too. */
const STILL = 3000;

/** Shares of answers that came at most so late. */
export interface Pauses {
  readonly median: number;
  readonly p99: number;
  readonly p999: number;
  readonly most: number;
}

/** A file system in memory: what is measured is not a disk. */
const MEMORY = '/dev/shm';

/**
 * Changes the model of an agent so many times, each time by all the steps of an update, while inferences run without a stop. Linux.
 */
export async function swapUnderLoad(
  pair: readonly [Contestant, Contestant],
  inputs: Tensors,
  count: number,
): Promise<SwapFigures> {
  const state = await mkdtemp(`${MEMORY}/ew-swaps-`);
  try {
    return await swapIn(state, pair, inputs, count);
  } finally {
    await rm(state, { recursive: true });
  }
}

async function swapIn(
  state: string,
  pair: readonly [Contestant, Contestant],
  inputs: Tensors,
  count: number,
): Promise<SwapFigures> {
  const blobs = await Promise.all(pair.map(({ bundle }) => describeBlob(bytesSource(bundle))));
  const contestants = new Map(pair.map((c, i) => [blobs[i]!.sha256, c]));
  const agent = await Agent.start({
    device: 'device',
    board: 'board',
    fs: new NodeDeviceFileSystem(state),
    loader: bundleLoader(),
    source: {
      async *fetch({ sha256, pieces }, wanted) {
        const { bundle } = contestants.get(sha256)!;
        const offsets = offsetsOf(pieces);
        for (const index of wanted)
          yield { index, bytes: bundle.subarray(offsets[index]!, offsets[index]! + pieces[index]!.bytes) };
      },
    },
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    conditions: async () => undefined,
    health: async () => undefined,
    report: async () => undefined,
  });
  const monitor = new Monitor(agent.host, { residentBytes: () => 0, monotonic: () => performance.now() });
  const install = async (release: number): Promise<void> => {
    const blob = blobs[release % 2]!;
    const assignment = {
      ...{ release, expires: Number.MAX_SAFE_INTEGER, board: 'board', limits: {}, shadowInputs: 0 },
      blob,
      probation: { milliseconds: 0 },
    };
    let taken = await agent.step(assignment);
    // Applications get their turn between two steps, as they do in the service.
    for (; taken.ended === 'done' && taken.step.name !== 'IDLE'; taken = await agent.step(assignment)) await nextTurn();
    if (agent.host.serving !== blob.sha256) throw new Error(`swap ${release}: ${taken.reason}`);
  };
  await install(0);
  const load = new Load(monitor, inputs, contestants);
  await load.during(() => new Promise((resolve) => setTimeout(resolve, STILL)));
  const still = load.pauses();
  const inference = load.inference;
  // The thread that opens bundles is there then, and may run on any processor.
  await install(1);
  const witness = await Witness.start();
  const longest = histogram();
  load.begin({ allowed: inference + GRACE, ...(witness ? { witness } : {}) });
  await load.during(async () => {
    for (let i = 2; i <= count + 1; i++) {
      load.longest = 0;
      await install(i);
      record(longest, load.longest);
    }
  });
  await witness?.stop();
  const { inferences, failed, mixed, long } = load;
  const beyond = long.filter(({ own, stood }) => own - stood > inference + GRACE).length;
  const counts = { swaps: count, inferences, failed, mixed, beyond, long, witnessed: witness !== undefined };
  return { ...counts, still, swapping: load.pauses(), own: pausesOf(longest), inference };
}

/** Of times in nanoseconds. It keeps nothing that would have to be collected while times are taken. */
function histogram(): RecordableHistogram {
  return createHistogram({ highest: 1e12, figures: 3 });
}

function record(times: RecordableHistogram, milliseconds: number): void {
  times.record(Math.max(1, Math.round(milliseconds * 1e6)));
}

function pausesOf(times: RecordableHistogram): Pauses {
  const at = (percent: number): number => times.percentile(percent) / 1e6;
  return { median: at(50), p99: at(99), p999: at(99.9), most: times.max / 1e6 };
}

/** How long a pause may be, milliseconds, and who knows when the processor stood still. */
interface Judge {
  readonly allowed: number;
  readonly witness?: Witness;
}

/** Inferences, one after another. */
class Load {
  inferences = 0;
  failed = 0;
  mixed = 0;
  /** Longest pause since this was set to 0, in time of the thread. */
  longest = 0;
  /** Longer than allowed, since `begin`. */
  readonly long: LongPause[] = [];
  private judge: Judge = { allowed: Number.POSITIVE_INFINITY };
  private readonly own = threadTime();
  private readonly times = histogram();
  private readonly ownTimes = histogram();
  private readonly monitor: Monitor;
  private readonly inputs: Tensors;
  private readonly contestants: ReadonlyMap<string, Contestant>;

  constructor(monitor: Monitor, inputs: Tensors, contestants: ReadonlyMap<string, Contestant>) {
    this.monitor = monitor;
    this.inputs = inputs;
    this.contestants = contestants;
  }

  begin(judge: Judge): void {
    this.judge = judge;
  }

  async during(work: () => Promise<void>): Promise<void> {
    let working = true;
    this.times.reset();
    const running = (async () => {
      let [last, lastOwn] = [performance.now(), this.own()];
      for (; working; await nextTurn()) {
        const from = this.own();
        await this.infer();
        record(this.ownTimes, this.own() - from);
        const [now, own] = [performance.now(), this.own()];
        record(this.times, now - last);
        this.note(own - lastOwn, last, now);
        [last, lastOwn] = [now, own];
      }
    })();
    await work();
    working = false;
    await running;
  }

  private note(own: number, from: number, to: number): void {
    this.longest = Math.max(this.longest, own);
    const { allowed, witness } = this.judge;
    if (own > allowed) this.long.push({ own, wall: to - from, stood: witness?.stood(from, to) ?? 0 });
  }

  pauses(): Pauses {
    return pausesOf(this.times);
  }

  /** Time of the thread for one, half of them, milliseconds. */
  get inference(): number {
    return this.ownTimes.percentile(50) / 1e6;
  }

  private async infer(): Promise<void> {
    this.inferences++;
    try {
      const { model, outputs } = await this.monitor.run(this.inputs);
      if (!this.contestants.get(model)!.isAnswer(outputs)) this.mixed++;
    } catch {
      this.failed++;
    }
  }
}
