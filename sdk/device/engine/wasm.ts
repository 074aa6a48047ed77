import { newArray, sizeOf, type TypedArray } from '../../util/tensor.ts';
import type { KernelModule } from '../../wire/kernels.ts';
import { type Program, SCRATCH_APART, type Slot } from '../../wire/program.ts';
import { apartKeeper, type KeepApart } from './apart.ts';
import { Engine, type EngineOptions } from './engine.ts';
import { holdRowTiles } from './row-tiles.ts';
import { copyShared } from './shared-memory.ts';
import { type StepFunction, Team } from './team.ts';
import { type WasmKernels, wasmKernels } from './wasm-kernels.ts';

const PAGE = 65536;
const STACK = 65536;
const align = (n: number, to: number): number => Math.ceil(n / to) * to;

/** Where what lies in the memory of a program, bytes: stacks first, then these one after another. */
interface Places {
  readonly weights: number;
  readonly arena: number;
  readonly scratch: number;
  readonly bytes: number;
}

/** What an engine of WebAssembly is made of. It can be made on one thread and used on another: nothing of it is copied on its way. */
export interface PreparedWasm extends WasmKernels {
  /** Where the module's own data ends, bytes. */
  readonly heap: number;
  /** With the weights in it. */
  readonly memory: WebAssembly.Memory;
}

/**
 * Compiles the kernels for this machine and puts the weights where they run: the part of opening an engine that takes long.
 * @param fill writes the resident block of the program (see sdk/wire/weights.ts) into memory that is all zeros.
 * @param spare the memory of an engine that was closed, used again where it is large enough.
 */
export function prepareWasm(
  program: Program,
  modules: readonly KernelModule[],
  fill: (block: Uint8Array) => void,
  { threads, variant, spare }: EngineOptions & { readonly spare?: WebAssembly.Memory } = {},
): PreparedWasm {
  const chosen = wasmKernels(modules, variant);
  // Only an instance can tell; stacks come first in the memory, so it is small.
  const heap = align(heapBase(chosen.module), 64);
  const { weights, bytes: needed } = placesOf(program, heap, partsOf(threads));
  const memory = memoryOf(needed, spare);
  const block = new Uint8Array(memory.buffer, weights, program.weightBytes);
  fill(block);
  holdRowTiles(program, block);
  return { ...chosen, heap, memory };
}

function partsOf(threads = 1): number {
  return Math.max(1, threads);
}

/** A memory of so many bytes, all zeros. One that is more than twice as large is not kept for it. */
function memoryOf(bytes: number, spare: WebAssembly.Memory | undefined): WebAssembly.Memory {
  const there = spare?.buffer.byteLength ?? 0;
  if (spare && there >= bytes && there <= 2 * bytes) {
    new Uint8Array(spare.buffer).fill(0);
    return spare;
  }
  const pages = Math.ceil(bytes / PAGE);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** Where the working memory of a part begins. */
const scratchOf = ({ scratchBytes }: Program, part: number): number => part * (scratchBytes + SCRATCH_APART);

function placesOf(program: Program, heap: number, threads: number): Places {
  const weights = align(heap + STACK * (threads - 1), 64);
  const arena = align(weights + program.weightBytes, 64);
  const scratch = align(arena + program.arenaBytes, 64);
  return { weights, arena, scratch, bytes: scratch + scratchOf(program, threads - 1) + program.scratchBytes + PAGE };
}

/**
 * Runs a program in this process on WebAssembly. One linear memory holds, in this order: stacks, resident weights,
 * arena, scratch of every part.
 */
export class WasmEngine extends Engine {
  /** Belongs to nobody once the engine is closed: see `prepareWasm`. */
  readonly memory: WebAssembly.Memory;
  private readonly steps: readonly StepFunction[];
  private readonly team: Team | undefined;
  private readonly places: Places;

  private constructor(
    program: Program,
    { kernels, module, settings, heap, memory }: PreparedWasm,
    { threads = 1, splitAll = false, keepApart }: EngineOptions & { readonly keepApart?: KeepApart | undefined },
  ) {
    super(program, kernels, threads, program.scratchBytes);
    this.memory = memory;
    const places = placesOf(program, heap, threads);
    this.places = places;
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    for (const [name, value] of Object.entries(settings)) (exports[name] as (value: number) => void)(value);
    this.steps = program.steps.map((_, i) => exports[`ew_step_${i}`] as StepFunction);
    const member = {
      module,
      memory,
      steps: program.steps,
      weights: places.weights,
      arena: places.arena,
      scratch: (part: number) => places.scratch + scratchOf(program, part),
      stackTop: (part: number) => heap + STACK * part,
    };
    this.team = threads > 1 ? Team.start(member, threads, { splitAll, keepApart }) : undefined;
  }

  /** `weights` is the resident block of the program (see sdk/wire/weights.ts). */
  static load(
    program: Program,
    modules: readonly KernelModule[],
    weights: Uint8Array,
    options: EngineOptions = {},
  ): Promise<WasmEngine> {
    return WasmEngine.open(
      program,
      prepareWasm(program, modules, (block) => block.set(weights), options),
      options,
    );
  }

  /** @param options those that it was prepared with. */
  static async open(program: Program, prepared: PreparedWasm, options: EngineOptions = {}): Promise<WasmEngine> {
    const threads = partsOf(options.threads);
    const keepApart = threads > 1 && !options.early ? await apartKeeper() : undefined;
    const engine = new WasmEngine(program, prepared, { ...options, threads, keepApart });
    if (!options.early) await engine.team?.ready();
    return engine;
  }

  runSteps(from: number, to: number, ended?: (step: number) => void): void {
    if (this.team) {
      this.team.run(this.steps, from, to, ended);
      return;
    }
    const { weights, arena, scratch } = this.places;
    for (let i = from; i < to; i++) {
      this.steps[i]!(weights, arena, scratch, 0, 1);
      ended?.(i);
    }
  }

  protected override copyIn(slot: Slot, data: TypedArray): void {
    copyShared(this.view(slot), data);
  }

  protected override copyOut(slot: Slot, data?: TypedArray): TypedArray {
    const to = data ?? newArray(slot.dtype, sizeOf(slot.shape));
    copyShared(to, this.view(slot));
    return to;
  }

  arena(offset: number, bytes: number): Uint8Array {
    return this.bytes(this.places.arena + offset, bytes);
  }

  writeWeights(offset: number, bytes: Uint8Array): void {
    this.bytes(this.places.weights + offset, bytes.byteLength).set(bytes);
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
