import { Worker } from 'node:worker_threads';
import koffi from 'koffi';
import { maskOf, monotonicTime, type Watch } from './witness-thread.ts';

/** Times that the processor stood still that are remembered. */
const REMEMBERED = 256;
const PATIENCE = 10_000;

/**
 * Knows when the processor that this thread runs on stood still. Whoever runs virtual machines may stop one's processors for some milliseconds,
 * and what of that its kernel does not learn of counts as time of the thread that ran. So a thread of the highest rank on that processor looks at
 * the clock twice a millisecond: where it could not, nothing on it could. Linux, with the right to give ranks.
 */
export class Witness {
  private readonly worker: Worker;
  private readonly watch: Watch;
  private readonly offset = monotonicTime();

  private constructor(worker: Worker, watch: Watch) {
    this.worker = worker;
    this.watch = watch;
  }

  /** Keeps this thread, and those that it starts from now on, on one processor; undefined where ranks cannot be given. */
  static async start(): Promise<Witness | undefined> {
    const libc = koffi.load('libc.so.6');
    const processor = libc.func('int sched_getcpu()')() as number;
    const watch: Watch = {
      processor,
      state: new Int32Array(new SharedArrayBuffer(3 * 4)),
      times: new Float64Array(new SharedArrayBuffer(2 * REMEMBERED * 8)),
    };
    // A thread has to be taught TypeScript first, as this one was.
    const [loader, file] = [import.meta.resolve('tsx/esm/api'), new URL('./witness-thread.ts', import.meta.url)];
    const program = `import('${loader}').then(({ register }) => { register(); return import('${file}'); });`;
    const worker = new Worker(program, { eval: true, execArgv: [], workerData: watch });
    worker.unref();
    const ranked = await new Promise<boolean>((resolve, reject) => {
      worker.once('message', resolve).once('error', reject);
      setTimeout(() => reject(new Error('the witness does not start')), PATIENCE).unref();
    });
    if (!ranked) return undefined;
    const mask = maskOf(processor);
    libc.func('int sched_setaffinity(int thread, size_t size, void *mask)')(0, mask.length, mask);
    return new Witness(worker, watch);
  }

  /** Milliseconds of an interval that the processor stood still in, both ends by this thread's `performance.now`. */
  stood(from: number, to: number): number {
    const { state, times } = this.watch;
    const count = Math.min(REMEMBERED, Atomics.load(state, 0));
    let stood = 0;
    for (let i = 0; i < count; i++) {
      const [first, last] = [times[2 * i]! - this.offset, times[2 * i + 1]! - this.offset];
      stood += Math.max(0, Math.min(last, to) - Math.max(first, from));
    }
    return stood;
  }

  async stop(): Promise<void> {
    Atomics.store(this.watch.state, 1, 1);
    await this.worker.terminate();
  }
}
