import { Worker } from 'node:worker_threads';

/** Slots of the control block that both threads share (i32 each). */
const EPOCH = 0;
const DONE = 1;
const READY = 2;
const FUNCTION = 3;
const COUNT = 4;
const CONTROL_WORDS = 8;
const MOST_ARGUMENTS = 16;
/** Polls before a waiting thread sleeps: some microseconds, since calls follow one another closely. */
const SPINS = 4000;

/** The thread's program, as text so that it needs no file beside the bundled SDK. */
const PROGRAM = `
const { workerData: d } = require('node:worker_threads');
const c = new Int32Array(d.control);
const a = new Float64Array(d.values);
const e = new WebAssembly.Instance(d.module, { env: { memory: d.memory } }).exports;
e.__stack_pointer.value = d.stackTop;
Atomics.store(c, ${READY}, 1);
for (let seen = 0; ; ) {
  for (let s = 0; s < ${SPINS} && Atomics.load(c, ${EPOCH}) === seen; s++);
  // In a loop: the wake-up call of a call that is done already may come late.
  while (Atomics.load(c, ${EPOCH}) === seen) Atomics.wait(c, ${EPOCH}, seen);
  seen = Atomics.load(c, ${EPOCH});
  e[d.functions[c[${FUNCTION}]]](...a.subarray(0, c[${COUNT}]));
  Atomics.store(c, ${DONE}, seen);
  Atomics.notify(c, ${DONE});
}
`;

export interface Shared {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Top of the thread's own stack. */
  readonly stackTop: number;
  /** Exports that it may be asked to run. */
  readonly functions: readonly string[];
}

/** A second thread on the memory of a module: runs one of its functions while the caller does something else. */
export class Partner {
  private readonly control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  private readonly values = new Float64Array(new SharedArrayBuffer(MOST_ARGUMENTS * 8));
  private readonly functions: readonly string[];
  private readonly worker: Worker;

  constructor({ functions, ...shared }: Shared) {
    this.functions = functions;
    const workerData = { ...shared, functions, control: this.control.buffer, values: this.values.buffer };
    this.worker = new Worker(PROGRAM, { eval: true, execArgv: [], workerData });
    // Without it the caller does all of the work.
    this.worker.on('error', () => {});
    this.worker.unref();
  }

  /** It takes some 30 ms until the thread runs. */
  get ready(): boolean {
    return Atomics.load(this.control, READY) === 1;
  }

  /** Begins a call; `wait` must follow before the next one. */
  begin(name: string, values: readonly number[]): void {
    this.values.set(values);
    this.control[FUNCTION] = this.functions.indexOf(name);
    this.control[COUNT] = values.length;
    Atomics.add(this.control, EPOCH, 1);
    Atomics.notify(this.control, EPOCH);
  }

  wait(): void {
    const { control } = this;
    const epoch = Atomics.load(control, EPOCH);
    const done = (): boolean => Atomics.load(control, DONE) === epoch;
    for (let s = 0; s < SPINS; s++) if (done()) return;
    while (!done()) Atomics.wait(control, DONE, epoch - 1);
  }

  close(): void {
    void this.worker.terminate();
  }
}
