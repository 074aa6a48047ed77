import { setImmediate as nextTurn } from 'node:timers/promises';
import { bytesSource, describeBlob } from '../../sdk/bundle/index.ts';
import { Agent } from '../../sdk/device/agent/agent.ts';
import { bundleLoader } from '../../sdk/device/agent/bundle-loader.ts';
import type { Tensors } from '../../sdk/device/agent/model.ts';
import { Monitor } from '../../sdk/device/service/monitor.ts';
import { MemoryDeviceFileSystem } from '../../sdk/testing/memory-device-fs.ts';
import { offsetsOf } from '../../sdk/wire/blob.ts';
import { threadTime } from './thread-time.ts';

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
}

/** How long inferences run before models change, milliseconds: what else this machine does delays them too. */
const STILL = 3000;

/** Shares of answers that came at most so late. */
export interface Pauses {
  readonly median: number;
  readonly p99: number;
  readonly p999: number;
  readonly most: number;
}

/**
 * Changes the model of an agent so many times, each time by all the steps of an update, while inferences run without a stop. The file
 * system is one in memory: what is measured is not a disk.
 */
export async function swapUnderLoad(
  pair: readonly [Contestant, Contestant],
  inputs: Tensors,
  count: number,
): Promise<SwapFigures> {
  const blobs = await Promise.all(pair.map(({ bundle }) => describeBlob(bytesSource(bundle))));
  const contestants = new Map(pair.map((c, i) => [blobs[i]!.sha256, c]));
  const agent = await Agent.start({
    device: 'device',
    board: 'board',
    fs: new MemoryDeviceFileSystem(),
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
  const longest: number[] = [];
  await load.during(async () => {
    for (let i = 1; i <= count; i++) {
      load.longest = 0;
      await install(i);
      longest.push(load.longest);
    }
  });
  const { inferences, failed, mixed } = load;
  const swapping = load.pauses();
  return { swaps: count, inferences, failed, mixed, still, swapping, own: pausesOf(longest) };
}

function pausesOf(times: readonly number[]): Pauses {
  const sorted = Float64Array.from(times).sort();
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1]!;
  return { median: at(0.5), p99: at(0.99), p999: at(0.999), most: at(1) };
}

/** Inferences, one after another. */
class Load {
  inferences = 0;
  failed = 0;
  mixed = 0;
  /** Longest pause since this was set to 0, in time of the thread. */
  longest = 0;
  private readonly own = threadTime();
  private times: number[] = [];
  private readonly monitor: Monitor;
  private readonly inputs: Tensors;
  private readonly contestants: ReadonlyMap<string, Contestant>;

  constructor(monitor: Monitor, inputs: Tensors, contestants: ReadonlyMap<string, Contestant>) {
    this.monitor = monitor;
    this.inputs = inputs;
    this.contestants = contestants;
  }

  async during(work: () => Promise<void>): Promise<void> {
    let working = true;
    this.times = [];
    const running = (async () => {
      let [last, lastOwn] = [performance.now(), this.own()];
      for (; working; await nextTurn()) {
        await this.infer();
        const [now, own] = [performance.now(), this.own()];
        this.times.push(now - last);
        this.longest = Math.max(this.longest, own - lastOwn);
        [last, lastOwn] = [now, own];
      }
    })();
    await work();
    working = false;
    await running;
  }

  pauses(): Pauses {
    return pausesOf(this.times);
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
