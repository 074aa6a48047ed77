import { Worker } from 'node:worker_threads';

/** Slots of the control block shared with the workers (i32 each). */
const EPOCH = 0;
const FROM = 1;
const TO = 2;
const ARRIVED = 3;
const READY = 4;
/** Value of ARRIVED when the present run began. It only grows (and wraps): a late waiter must never see it fall. */
const BASE = 5;
const CONTROL_WORDS = 16;
/** Value of FROM that tells workers to leave. */
const LEAVE = -1;
/** Polls before a waiting thread sleeps, within a run and after it: a few microseconds, the length of a short step. */
const SPINS = 4000;

/**
 * The workers' program, as text so that it needs no file beside the bundled SDK. Every part runs every step; a counter
 * that only grows is the barrier between two steps.
 */
const WORKER = `
const { workerData: d } = require('node:worker_threads');
const c = new Int32Array(d.control);
const e = new WebAssembly.Instance(d.module, { env: { memory: d.memory } }).exports;
e.__stack_pointer.value = d.stackTop;
const steps = Array.from({ length: d.steps }, (_, i) => e['ew_step_' + i]);
const barrier = (target) => {
  if (((Atomics.add(c, ${ARRIVED}, 1) + 1 - target) | 0) === 0) { Atomics.notify(c, ${ARRIVED}); return; }
  for (let s = 0; s < ${SPINS}; s++) if (((Atomics.load(c, ${ARRIVED}) - target) | 0) >= 0) return;
  for (let v = Atomics.load(c, ${ARRIVED}); ((v - target) | 0) < 0; v = Atomics.load(c, ${ARRIVED})) Atomics.wait(c, ${ARRIVED}, v);
};
Atomics.add(c, ${READY}, 1); Atomics.notify(c, ${READY});
for (let seen = 0; ; ) {
  for (let s = 0; s < ${SPINS} && Atomics.load(c, ${EPOCH}) === seen; s++);
  Atomics.wait(c, ${EPOCH}, seen);
  seen = Atomics.load(c, ${EPOCH});
  const from = c[${FROM}], to = c[${TO}], base = c[${BASE}];
  if (from === ${LEAVE}) break;
  for (let i = from; i < to; i++) { steps[i](d.weights, d.arena, d.scratch, d.part, d.parts); barrier((base + (i - from + 1) * d.parts) | 0); }
}
`;

export interface TeamMember {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly steps: number;
  readonly weights: number;
  readonly arena: number;
  /** Scratch address of part p. */
  scratch(part: number): number;
  /** Top of the stack of part p. */
  stackTop(part: number): number;
}

export type StepFunction = (weights: number, arena: number, scratch: number, part: number, parts: number) => void;

/** Worker threads that run the parts 1..n-1 of every step; the caller's thread runs part 0. */
export class Team {
  private readonly control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  private readonly workers: Worker[] = [];
  private readonly parts: number;
  private readonly member: TeamMember;

  private constructor(member: TeamMember, parts: number) {
    this.member = member;
    this.parts = parts;
  }

  static start(member: TeamMember, parts: number): Team {
    const team = new Team(member, parts);
    for (let part = 1; part < parts; part++) {
      const worker = new Worker(WORKER, {
        eval: true,
        execArgv: [],
        workerData: {
          control: team.control.buffer,
          module: member.module,
          memory: member.memory,
          steps: member.steps,
          weights: member.weights,
          arena: member.arena,
          scratch: member.scratch(part),
          stackTop: member.stackTop(part),
          part,
          parts,
        },
      });
      worker.unref();
      team.workers.push(worker);
    }
    return team;
  }

  /** Resolves when every worker has instantiated the module. */
  async ready(): Promise<void> {
    while (Atomics.load(this.control, READY) < this.workers.length) await new Promise((r) => setTimeout(r, 1));
  }

  /** Runs steps [from, to) on all parts and returns when all are done; `ended` is told of each. */
  run(steps: readonly StepFunction[], from: number, to: number, ended?: (step: number) => void): void {
    const { control: c, member: m, parts } = this;
    if (from >= to) return;
    const base = Atomics.load(c, ARRIVED);
    c[BASE] = base;
    c[FROM] = from;
    c[TO] = to;
    Atomics.add(c, EPOCH, 1);
    Atomics.notify(c, EPOCH);
    for (let i = from; i < to; i++) {
      steps[i]!(m.weights, m.arena, m.scratch(0), 0, parts);
      this.barrier((base + (i - from + 1) * parts) | 0);
      ended?.(i);
    }
  }

  close(): void {
    this.control[FROM] = LEAVE;
    Atomics.add(this.control, EPOCH, 1);
    Atomics.notify(this.control, EPOCH);
    for (const w of this.workers) void w.terminate();
  }

  private barrier(target: number): void {
    const c = this.control;
    const reached = (v: number): boolean => ((v - target) | 0) >= 0;
    if (reached(Atomics.add(c, ARRIVED, 1) + 1)) {
      Atomics.notify(c, ARRIVED);
      return;
    }
    for (let s = 0; s < SPINS; s++) if (reached(Atomics.load(c, ARRIVED))) return;
    for (let v = Atomics.load(c, ARRIVED); !reached(v); v = Atomics.load(c, ARRIVED)) Atomics.wait(c, ARRIVED, v);
  }
}
