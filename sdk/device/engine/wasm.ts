import { EigenError } from '../../util/errors.ts';
import type { KernelModule } from '../../wire/kernels.ts';
import type { Program } from '../../wire/program.ts';
import { Engine, type EngineOptions } from './engine.ts';
import { type DotProbe, probeDot7 } from './probe.ts';
import { type StepFunction, Team } from './team.ts';

const PAGE = 65536;
const STACK = 65536;
const align = (n: number, to: number): number => Math.ceil(n / to) * to;

/** The relaxed dot product has to be this much faster than the plain one in the probe before it is used. */
const WORTH_IT = 1.1;

/** The kernel variant that this machine runs best, and why. */
export function preferredVariant(probe: DotProbe = probeDot7()): { variant: 'dot7' | 'simd128'; reason: string } {
  if (!probe.right) {
    const fault = probe.fault === 'wrong' ? 'computed wrongly by this Node' : 'not known to this Node';
    return { variant: 'simd128', reason: `the relaxed dot product is ${fault}` };
  }
  const times = `${probe.speedup.toFixed(2)} times as fast as the plain one (measured)`;
  if (probe.speedup >= WORTH_IT) return { variant: 'dot7', reason: `the relaxed dot product is right and ${times}` };
  return { variant: 'simd128', reason: `the relaxed dot product is right, but only ${times}; ${WORTH_IT} is needed` };
}

/** The WebAssembly kernels for this machine. */
export function chooseModule(all: readonly KernelModule[], wanted?: string): KernelModule {
  const modules = all.filter((m) => m.platform === 'wasm');
  if (wanted) {
    const hit = modules.find((m) => m.variant === wanted);
    if (!hit)
      throw new EigenError(
        'EW5003_ENGINE_UNAVAILABLE',
        `no kernels of variant '${wanted}'; there are: ${modules.map((m) => m.variant).join(', ')}`,
      );
    return hit;
  }
  const dot7 = modules.find((m) => m.variant === 'dot7');
  if (dot7 && preferredVariant().variant === 'dot7') return dot7;
  const plain = modules.find((m) => m.variant === 'simd128');
  if (!plain)
    throw new EigenError('EW5003_ENGINE_UNAVAILABLE', 'the bundle has no kernels that this machine can run', {
      hint: 'Build it again for this board.',
    });
  return plain;
}

/**
 * Runs a program in this process on WebAssembly. One linear memory holds, in this order: stacks, resident weights,
 * arena, scratch of every part.
 */
export class WasmEngine extends Engine {
  private readonly memory: WebAssembly.Memory;
  private readonly steps: readonly StepFunction[];
  private readonly team: Team | undefined;
  private readonly weightsAt: number;
  private readonly arenaAt: number;
  private readonly scratchAt: number;

  private constructor(program: Program, module: KernelModule, threads: number) {
    super(program, module, threads, program.scratchBytes);
    const compiled = new WebAssembly.Module(module.bytes as Uint8Array<ArrayBuffer>);
    // The module's own data ends at __heap_base, which only an instance can tell; stacks come first, so it is small.
    const heap = align(heapBase(compiled), 64);
    this.weightsAt = align(heap + STACK * (threads - 1), 64);
    this.arenaAt = align(this.weightsAt + program.weightBytes, 64);
    this.scratchAt = align(this.arenaAt + program.arenaBytes, 64);
    const pages = Math.ceil((this.scratchAt + program.scratchBytes * threads + PAGE) / PAGE);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const { exports } = new WebAssembly.Instance(compiled, { env: { memory: this.memory } });
    this.steps = program.steps.map((_, i) => exports[`ew_step_${i}`] as StepFunction);
    const member = {
      module: compiled,
      memory: this.memory,
      steps: program.steps.length,
      weights: this.weightsAt,
      arena: this.arenaAt,
      scratch: (part: number) => this.scratchAt + part * program.scratchBytes,
      stackTop: (part: number) => heap + STACK * part,
    };
    this.team = threads > 1 ? Team.start(member, threads) : undefined;
  }

  /** `weights` is the resident block of the program (see sdk/wire/weights.ts). */
  static async load(
    program: Program,
    modules: readonly KernelModule[],
    weights: Uint8Array,
    options: EngineOptions = {},
  ): Promise<WasmEngine> {
    const engine = new WasmEngine(program, chooseModule(modules, options.variant), Math.max(1, options.threads ?? 1));
    engine.bytes(engine.weightsAt, weights.byteLength).set(weights);
    await engine.team?.ready();
    return engine;
  }

  runSteps(from: number, to: number, ended?: (step: number) => void): void {
    if (this.team) {
      this.team.run(this.steps, from, to, ended);
      return;
    }
    for (let i = from; i < to; i++) {
      this.steps[i]!(this.weightsAt, this.arenaAt, this.scratchAt, 0, 1);
      ended?.(i);
    }
  }

  arena(offset: number, bytes: number): Uint8Array {
    return this.bytes(this.arenaAt + offset, bytes);
  }

  writeWeights(offset: number, bytes: Uint8Array): void {
    this.bytes(this.weightsAt + offset, bytes.byteLength).set(bytes);
  }

  close(): void {
    this.team?.close();
  }

  private bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, length);
  }
}

function heapBase(module: WebAssembly.Module): number {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return (exports.__heap_base as WebAssembly.Global).value as number;
}
