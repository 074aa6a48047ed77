import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Step } from '../../wire/program.ts';
import type { KeepApart } from './apart.ts';

/** Words of the control block that the threads share (i32 each), those that change at different times in lines of their own. */
const FROM = 0;
const BASE = 1;
/** Steps asked for, of which those after the first BASE are the present run, from step FROM on. Counters only grow, and wrap. */
const ISSUED = 2;
const CLOSING = 3;
/** Threads that sleep until ISSUED changes. */
const IDLE = 16;
/** Threads that sleep until ENDED of some part changes. */
const WAITING = 32;
const READY = 48;
/**
 * Words of part p: how many steps have had it taken; the number that its thread has in Linux, 0 elsewhere; of how many steps it has ended. What a
 * thread writes as it goes is in lines of its own, which others read only when they wait for it: a line takes half a microsecond from a processor to another and back.
 */
const TAKEN = 64;
const NUMBER = 65;
const ENDED = 80;
const APART = 32;

/** Whoever has nothing to do polls for so long before it sleeps, ms. */
const POLL_MS = 0.05;
/** Reads between two looks at the clock. */
const READS = 100;
/** Reads before parts of others are taken that should have been; they take about two microseconds. */
const PATIENCE = 1000;
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
const behind = (next) => {
  for (let part = 0; part < d.parts; part++) {
    const word = ${ENDED} + ${APART} * part;
    if ((Atomics.load(c, word) - next | 0) < 0) return word;
  }
  return -1;
};
const ended = () => {
  let least = Atomics.load(c, ${ENDED});
  for (let part = 1; part < d.parts; part++) {
    const steps = Atomics.load(c, ${ENDED} + ${APART} * part);
    if ((steps - least | 0) < 0) least = steps;
  }
  return least;
};
const take = (part, step) => {
  if (Atomics.load(c, ${TAKEN} + ${APART} * part) !== step) return false;
  const next = step + 1 | 0;
  if (Atomics.compareExchange(c, ${TAKEN} + ${APART} * part, step, next) !== step) return false;
  const i = c[${FROM}] + (step - c[${BASE}] | 0);
  if (!d.small[i]) steps[i](d.weights, d.arena, d.scratch, part, d.parts);
  else if (part === 0) steps[i](d.weights, d.arena, d.scratch, 0, 1);
  Atomics.store(c, ${ENDED} + ${APART} * part, next);
  if (Atomics.load(c, ${WAITING}) > 0) Atomics.notify(c, ${ENDED} + ${APART} * part);
  return true;
};
const help = (issued) => {
  let patience = d.poll > 0 ? ${PATIENCE} : 0;
  for (let step; ((step = ended()) - issued | 0) < 0;) {
    const next = step + 1 | 0;
    take(d.part, step);
    let word = behind(next);
    for (let k = 0; k < patience && word >= 0; k++) word = behind(next);
    if (word < 0) continue;
    for (let k = 1; k < d.parts; k++) if (take((d.part + k) % d.parts, step)) patience = 0;
    while ((word = behind(next)) >= 0) sleep(word, ${WAITING}, step);
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
 * then, unless all others are about to end, those that nobody has taken: a thread that the system does not run holds up nobody, unless it is in the middle of a part.
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

  /** Takes parts until so many steps have ended. Who was late once in a run is not waited for again, nor who sleeps. */
  private help(steps: readonly StepFunction[], issued: number): void {
    const { control: c, parts } = this;
    let patience = this.poll > 0 && Atomics.load(c, IDLE) === 0 ? PATIENCE : 0;
    for (let step = this.ended(); ((step - issued) | 0) < 0; step = this.ended()) {
      const next = (step + 1) | 0;
      this.take(steps, 0, step);
      let word = this.behind(next);
      for (let k = 0; k < patience && word >= 0; k++) word = this.behind(next);
      if (word < 0) continue;
      for (let part = 1; part < parts; part++) if (this.take(steps, part, step)) patience = 0;
      for (word = this.behind(next); word >= 0; word = this.behind(next)) this.wait(word, step);
    }
  }

  /** Runs a part of a step of the present run if nobody has taken it; the run does not change before it has ended. */
  private take(steps: readonly StepFunction[], part: number, step: number): boolean {
    const { control: c, member: m, small, parts } = this;
    if (Atomics.load(c, TAKEN + APART * part) !== step) return false;
    const next = (step + 1) | 0;
    if (Atomics.compareExchange(c, TAKEN + APART * part, step, next) !== step) return false;
    const i = c[FROM]! + ((step - c[BASE]!) | 0);
    if (!small[i]) steps[i]!(m.weights, m.arena, m.scratch(0), part, parts);
    else if (part === 0) steps[i]!(m.weights, m.arena, m.scratch(0), 0, 1);
    Atomics.store(c, ENDED + APART * part, next);
    if (Atomics.load(c, WAITING) > 0) Atomics.notify(c, ENDED + APART * part);
    return true;
  }

  /** How many steps have ended in all their parts. */
  private ended(): number {
    const { control: c, parts } = this;
    let least = Atomics.load(c, ENDED);
    for (let part = 1; part < parts; part++) {
      const steps = Atomics.load(c, ENDED + APART * part);
      if (((steps - least) | 0) < 0) least = steps;
    }
    return least;
  }

  /** The word of a part that has not ended so many steps, -1 where all have. */
  private behind(steps: number): number {
    const { control: c, parts } = this;
    for (let word = ENDED, part = 0; part < parts; word += APART, part++)
      if (((Atomics.load(c, word) - steps) | 0) < 0) return word;
    return -1;
  }

  /** Until a part has ended a step. */
  private wait(word: number, step: number): void {
    const { control: c } = this;
    for (const end = performance.now() + this.poll; this.poll > 0; ) {
      for (let s = 0; s < READS; s++) if (Atomics.load(c, word) !== step) return;
      if (performance.now() > end) break;
    }
    Atomics.add(c, WAITING, 1);
    Atomics.wait(c, word, step);
    Atomics.sub(c, WAITING, 1);
  }
}
