import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Step } from '../../wire/program.ts';
import type { KeepApart } from './apart.ts';

/** Words of the control block that the threads share (i32 each), those that change at different times in lines of their own. */
const FROM = 0;
const BASE = 1;
/** Steps asked for, of which those after the first BASE are the present run, from step FROM on. Counters only grow, and wrap. */
const ISSUED = 16;
/** Threads that sleep until ISSUED changes. */
const IDLE = 17;
const CLOSING = 18;
/** Steps that have ended. */
const ENDED = 32;
/** Threads that sleep until ENDED changes. */
const WAITING = 33;
/** Parts of the present step that have ended. */
const ARRIVED = 48;
const READY = 64;
/** Words of part p: how many steps have had it taken; the number that its thread has in Linux, 0 elsewhere. */
const TAKEN = 80;
const NUMBER = 81;
const APART = 16;

/** Whoever has nothing to do polls for so long before it sleeps, ms. */
const POLL_MS = 0.05;
/** Reads between two looks at the clock. */
const READS = 100;
/** Threads that sleep are woken where a run takes one thread about so long, or where it comes so soon after the last one, ms: it takes several microseconds. */
const WORTH_MS = 0.06;
const SOON_MS = 0.1;

/** Steps of less work than this are not split: to meet another thread takes about a microsecond. */
const LEAST_MACS = 100_000;
const LEAST_BYTES = 64 * 1024;
/** What kernels do in a millisecond. */
const MACS_A_MS = 60e6;
const BYTES_A_MS = 10e6;

/**
 * The workers' program, as text so that it needs no file beside the bundled SDK. What a thread does is what `Team.help` says.
 */
const WORKER = `
const { workerData: d } = require('node:worker_threads');
const c = new Int32Array(d.control);
const e = new WebAssembly.Instance(d.module, { env: { memory: d.memory } }).exports;
e.__stack_pointer.value = d.stackTop;
const steps = d.small.map((_, i) => e['ew_step_' + i]);
const sleep = (word, sleepers, seen) => {
  for (const end = performance.now() + d.poll; d.poll > 0;) {
    for (let s = 0; s < ${READS}; s++) if (Atomics.load(c, word) !== seen) return;
    if (performance.now() > end) break;
  }
  Atomics.add(c, sleepers, 1);
  Atomics.wait(c, word, seen);
  Atomics.sub(c, sleepers, 1);
};
const help = (issued) => {
  for (let step; ((step = Atomics.load(c, ${ENDED})) - issued | 0) < 0;) {
    let took = false;
    for (let k = 0; k < d.parts; k++) {
      const part = (d.part + k) % d.parts, next = step + 1 | 0;
      if (Atomics.compareExchange(c, ${TAKEN} + ${APART} * part, step, next) !== step) continue;
      took = true;
      const i = c[${FROM}] + (step - c[${BASE}] | 0);
      if (!d.small[i]) steps[i](d.weights, d.arena, d.scratch, part, d.parts);
      else if (part === 0) steps[i](d.weights, d.arena, d.scratch, 0, 1);
      if (Atomics.add(c, ${ARRIVED}, 1) + 1 === d.parts) {
        Atomics.store(c, ${ARRIVED}, 0);
        Atomics.store(c, ${ENDED}, next);
        if (Atomics.load(c, ${WAITING}) > 0) Atomics.notify(c, ${ENDED});
      }
    }
    if (!took) sleep(${ENDED}, ${WAITING}, step);
  }
};
try {
  c[${NUMBER} + ${APART} * d.part] = Number(require('node:fs').readlinkSync('/proc/thread-self').split('/')[2]);
} catch {}
Atomics.add(c, ${READY}, 1);
for (let seen = 0; ; ) {
  sleep(${ISSUED}, ${IDLE}, seen);
  if (Atomics.load(c, ${CLOSING})) break;
  help(seen = Atomics.load(c, ${ISSUED}));
}
`;

export interface TeamMember {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly steps: readonly Step[];
  readonly weights: number;
  readonly arena: number;
  /** Scratch address of part p. */
  scratch(part: number): number;
  /** Top of the stack of part p. */
  stackTop(part: number): number;
}

export interface TeamOptions {
  /** Whether threads share the smallest steps, too. */
  readonly splitAll: boolean;
  readonly keepApart: KeepApart | undefined;
}

export type StepFunction = (weights: number, arena: number, scratch: number, part: number, parts: number) => void;

/**
 * Worker threads that run parts of every step with the caller's. Every thread takes the part with its own number, since that has its data in its caches, and
 * then those that nobody has taken: a thread that the system does not run holds up nobody, unless it is in the middle of a part.
 */
export class Team {
  private readonly control: Int32Array;
  private readonly workers: Worker[] = [];
  private readonly parts: number;
  private readonly member: TeamMember;
  /** Steps that one thread does all of. */
  private readonly small: readonly boolean[];
  /** How long each step takes one thread, about. */
  private readonly ms: readonly number[];
  private readonly poll: number;
  private readonly keepApart: KeepApart | undefined;
  private last = Number.NEGATIVE_INFINITY;

  private constructor(member: TeamMember, parts: number, { splitAll, keepApart }: TeamOptions) {
    this.member = member;
    this.parts = parts;
    this.keepApart = keepApart;
    this.control = new Int32Array(new SharedArrayBuffer((TAKEN + APART * parts) * 4));
    this.small = member.steps.map(({ macs, bytes }) => !splitAll && macs < LEAST_MACS && bytes < LEAST_BYTES);
    this.ms = member.steps.map(({ macs, bytes }) => macs / MACS_A_MS + bytes / BYTES_A_MS);
    // Where threads have no processor each, who polls may hold up who works.
    this.poll = availableParallelism() < parts ? 0 : POLL_MS;
  }

  static start(member: TeamMember, parts: number, options: TeamOptions): Team {
    const team = new Team(member, parts, options);
    for (let part = 1; part < parts; part++) {
      const worker = new Worker(WORKER, {
        eval: true,
        execArgv: [],
        workerData: {
          control: team.control.buffer,
          module: member.module,
          memory: member.memory,
          small: team.small,
          weights: member.weights,
          arena: member.arena,
          scratch: member.scratch(part),
          stackTop: member.stackTop(part),
          poll: team.poll,
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
    if (from >= to) return;
    if (!ended) {
      this.issue(steps, from, to);
      return;
    }
    for (let i = from; i < to; i++) {
      this.issue(steps, i, i + 1);
      ended(i);
    }
  }

  close(): void {
    const { control: c } = this;
    // No step more is issued: who is about to sleep, and misses this, is terminated in its sleep.
    Atomics.store(c, CLOSING, 1);
    Atomics.notify(c, ISSUED);
    for (const w of this.workers) void w.terminate();
  }

  private issue(steps: readonly StepFunction[], from: number, to: number): void {
    const { control: c } = this;
    const base = Atomics.load(c, ISSUED);
    c[FROM] = from;
    c[BASE] = base;
    Atomics.store(c, ISSUED, (base + to - from) | 0);
    if (Atomics.load(c, IDLE) > 0 && this.pays(from, to)) this.wake();
    this.help(steps, (base + to - from) | 0);
    this.last = performance.now();
  }

  private wake(): void {
    this.keepApart?.(this.workers.map((_, i) => this.control[NUMBER + APART * (i + 1)]!));
    Atomics.notify(this.control, ISSUED);
  }

  /** Whether threads that sleep are to be woken for a run. */
  private pays(from: number, to: number): boolean {
    if (performance.now() - this.last < SOON_MS) return true;
    let ms = 0;
    for (let i = from; i < to && ms < WORTH_MS; i++) ms += this.ms[i]!;
    return ms >= WORTH_MS;
  }

  /** Takes parts until so many steps have ended; the run does not change while a part that was taken has not arrived. */
  private help(steps: readonly StepFunction[], issued: number): void {
    const { control: c, member: m, small, parts } = this;
    const scratch = m.scratch(0);
    for (let step = Atomics.load(c, ENDED); ((step - issued) | 0) < 0; step = Atomics.load(c, ENDED)) {
      let took = false;
      const next = (step + 1) | 0;
      for (let part = 0; part < parts; part++) {
        if (Atomics.compareExchange(c, TAKEN + APART * part, step, next) !== step) continue;
        took = true;
        const i = c[FROM]! + ((step - c[BASE]!) | 0);
        if (!small[i]) steps[i]!(m.weights, m.arena, scratch, part, parts);
        else if (part === 0) steps[i]!(m.weights, m.arena, scratch, 0, 1);
        if (Atomics.add(c, ARRIVED, 1) + 1 === parts) {
          Atomics.store(c, ARRIVED, 0);
          Atomics.store(c, ENDED, next);
          if (Atomics.load(c, WAITING) > 0) Atomics.notify(c, ENDED);
        }
      }
      if (!took) this.wait(step);
    }
  }

  /** Until a step has ended. */
  private wait(step: number): void {
    const { control: c } = this;
    for (const end = performance.now() + this.poll; this.poll > 0; ) {
      for (let s = 0; s < READS; s++) if (Atomics.load(c, ENDED) !== step) return;
      if (performance.now() > end) break;
    }
    Atomics.add(c, WAITING, 1);
    Atomics.wait(c, ENDED, step);
    Atomics.sub(c, WAITING, 1);
  }
}
