import { EigenError } from '../../util/errors.ts';
import { byteLength, newArray, sizeOf, type Tensor, type TypedArray, tensor } from '../../util/tensor.ts';
import { type KernelFile, type KernelId, type KernelModule, thisPlatform } from '../../wire/kernels.ts';
import type { Program, Slot } from '../../wire/program.ts';
import { Engine, type EngineOptions } from './engine.ts';
import { type KernelLibrary, type LibraryFile, libraryFile, loadLibrary } from './library.ts';
import { processorFlags, runnable } from './processor.ts';
import { holdRowTiles } from './row-tiles.ts';

/** Bytes of an input or output that more than one thread copies. */
const SHARED_COPY = 65536;

/** Bytes of an input or output that is not copied: to tell where it is takes as long as a copy of fewer. */
const IN_PLACE = 8192;

/**
 * The resident block of a program: its bytes, or a file of them, whose pages all processes share that have it open. Tiles may be in the form of
 * sdk/wire/row-tiles.ts; those that are not take longer.
 */
export type ResidentWeights = Uint8Array | { readonly file: string };

/** Shared objects of kernels, of which the best that runs here is loaded: their bytes, or files, which are loaded where they are. */
export type NativeKernels = KernelModule | KernelFile;

/** Makes the weights for kernels: tiles of which more than `mostListed` of their codes would be listed are faster as they are; all are kept as they are for undefined. */
export type WeightsFor = (mostListed: number | undefined) => ResidentWeights | Promise<ResidentWeights>;

/** What a native engine is made of. It can be made on one thread and used on another. */
export interface PreparedNative {
  readonly kernels: KernelId;
  readonly library: LibraryFile;
  readonly weights: ResidentWeights;
}

/**
 * Finds the best kernels that this processor runs and that know their known answers: the part of opening an engine that takes long.
 * Throws EW5003_ENGINE_UNAVAILABLE saying why there are none.
 */
export async function prepareNative(
  program: Program,
  modules: readonly NativeKernels[],
  weights: WeightsFor,
  { variant }: EngineOptions = {},
): Promise<PreparedNative> {
  const there = runnable(modules, thisPlatform(), processorFlags());
  const wanted = variant === undefined ? there : there.filter((m) => m.variant === variant);
  if (wanted.length === 0) throw unavailable(reasonOf(modules, variant));
  for (const found of wanted) {
    const { platform, variant } = found;
    const file =
      'bytes' in found ? await libraryFile(found.bytes) : { file: found.file, digest: await found.verified() };
    const library = await loadLibrary(file);
    if (library.wrong() !== 0) continue;
    if (library.stepCount() !== program.steps.length)
      throw unavailable(`the kernels have ${library.stepCount()} steps, the program ${program.steps.length}`);
    const lists = library.rowLists();
    return {
      kernels: { platform, variant },
      library: file,
      weights: await weights(lists === undefined ? undefined : lists / 1000),
    };
  }
  throw unavailable('this processor gives wrong answers to the native kernels');
}

/** Runs a program in this process on a shared object. Weights, arena and scratch are mapped memory. */
export class NativeEngine extends Engine {
  private readonly library: KernelLibrary;
  /** Weights, arena, scratch. */
  private readonly mappings: readonly [Mapping, Mapping, Mapping];
  private readonly memory: { readonly weights: Uint8Array; readonly arena: Uint8Array };
  private team: bigint | undefined;
  private readonly leastInPlace: number;

  private constructor(
    program: Program,
    { kernels, weights }: PreparedNative,
    library: KernelLibrary,
    { threads = 1, splitAll = false }: EngineOptions,
  ) {
    const scratch = Number(library.scratchBytes());
    super(program, kernels, threads, scratch);
    this.library = library;
    const file = weights instanceof Uint8Array ? null : weights.file;
    const mapped = [
      mapBytes(library, program.weightBytes, file),
      mapBytes(library, program.arenaBytes, null),
      mapBytes(library, Number(library.scratchApart()) * (threads - 1) + scratch, null),
    ] as const;
    this.mappings = mapped;
    const [w, a, s] = mapped;
    this.memory = { weights: library.view(w.at, w.bytes), arena: library.view(a.at, a.bytes) };
    if (weights instanceof Uint8Array) this.memory.weights.set(weights);
    const team = library.open(w.at, a.at, s.at, threads);
    if (!team) throw unavailable(`${threads} threads cannot be started`);
    this.team = team;
    // Kernels are tested on tensors of all sizes.
    this.leastInPlace = splitAll ? 1 : IN_PLACE;
    if (splitAll) library.split?.(team);
  }

  /** Throws what `prepareNative` does. Bytes are those that a bundle installs; the engine has a copy of them in the form of its kernels. */
  static async load(
    program: Program,
    modules: readonly NativeKernels[],
    weights: ResidentWeights,
    options: EngineOptions = {},
  ): Promise<NativeEngine> {
    const held: WeightsFor = (mostListed) => {
      if (!(weights instanceof Uint8Array)) return weights;
      const own = weights.slice();
      if (mostListed !== undefined) holdRowTiles(program, own, mostListed);
      return own;
    };
    return NativeEngine.open(program, await prepareNative(program, modules, held, options), options);
  }

  /** @param options those that it was prepared with. */
  static async open(program: Program, prepared: PreparedNative, options: EngineOptions = {}): Promise<NativeEngine> {
    const threads = Math.max(1, options.threads ?? 1);
    return new NativeEngine(program, prepared, await loadLibrary(prepared.library), { ...options, threads });
  }

  override runSteps(from: number, to: number, ended?: (step: number) => void): void {
    if (!ended) {
      this.library.run(this.team!, from, to);
      return;
    }
    for (let i = from; i < to; i++) {
      this.library.run(this.team!, i, i + 1);
      ended(i);
    }
  }

  /** Kernels read the largest input and write the largest output where they are; an input that the output would overwrite is copied. */
  protected override pass(
    inputs: Readonly<Record<string, Tensor>>,
    into: Readonly<Record<string, Tensor>>,
  ): Record<string, Tensor> {
    const { program, library } = this;
    const { pass } = library;
    const first = pass && program.inputs[pass.input];
    const last = pass && program.outputs[pass.output];
    const from = first && this.inPlace(first, () => this.given(first, inputs).data);
    const to = last && this.inPlace(last, () => into[last.name]?.data ?? newArray(last.dtype, sizeOf(last.shape)));
    if (!from && !to) return super.pass(inputs, into);
    for (const slot of program.inputs) {
      const { data } = this.given(slot, inputs);
      if (slot !== first || !from) this.copyIn(slot, data);
    }
    pass!.run(this.team!, from ?? null, to ?? null);
    const results: Record<string, Tensor> = {};
    for (const slot of program.outputs) {
      const there = into[slot.name];
      results[slot.name] =
        slot === last && to ? (there ?? tensor(slot.dtype, slot.shape, to)) : this.readSlot(slot, there);
    }
    return results;
  }

  protected override copyIn(slot: Slot, data: TypedArray): void {
    if (this.shares(slot, data)) this.library.bring!(this.team!, this.addressOf(slot), data, data.byteLength);
    else super.copyIn(slot, data);
  }

  protected override copyOut(slot: Slot, data?: TypedArray): TypedArray {
    // Memory that is new takes longer to be given by the system than to be copied to: threads share that too.
    const to = data ?? (byteLength(slot) < SHARED_COPY ? undefined : newArray(slot.dtype, sizeOf(slot.shape)));
    if (!to || !this.shares(slot, to)) return super.copyOut(slot, to);
    this.library.bring!(this.team!, to, this.addressOf(slot), to.byteLength);
    return to;
  }

  /** Whether all threads copy it. */
  private shares(slot: Slot, data: TypedArray): boolean {
    const { threads, library } = this;
    if (threads === 1 || !library.bring || data.byteLength < SHARED_COPY) return false;
    return this.isLike(slot, data) && !(data.buffer instanceof SharedArrayBuffer);
  }

  /** Whether the bytes of an array are those of the slot's elements; others are converted. */
  private isLike(slot: Slot, data: TypedArray): boolean {
    return data.byteLength === byteLength(slot) && data.constructor === this.view(slot).constructor;
  }

  /** A tensor that kernels may use where it is: not in the arena, which they write to. */
  private inPlace(slot: Slot, tensorOf: () => TypedArray): TypedArray | undefined {
    if (byteLength(slot) < this.leastInPlace) return undefined;
    const data = tensorOf();
    const apart = data.buffer !== this.memory.arena.buffer && !(data.buffer instanceof SharedArrayBuffer);
    return apart && this.isLike(slot, data) ? data : undefined;
  }

  private addressOf({ offset }: Slot): bigint {
    return this.mappings[1].at + BigInt(offset);
  }

  override arena(offset: number, bytes: number): Uint8Array {
    return this.memory.arena.subarray(offset, offset + bytes);
  }

  override writeWeights(offset: number, bytes: Uint8Array): void {
    this.memory.weights.set(bytes, offset);
  }

  /** Ends the threads and gives the memory back: views of it must not be used any more. */
  override close(): void {
    if (this.team === undefined) return;
    this.library.close(this.team);
    this.team = undefined;
    for (const m of this.mappings) this.library.unmap(m.at, m.bytes);
  }
}

interface Mapping {
  readonly at: bigint;
  readonly bytes: number;
}

function mapBytes(library: KernelLibrary, size: number, file: string | null): Mapping {
  const bytes = Math.max(size, 1);
  const at = library.map(file, bytes);
  if (!at) throw unavailable(file ? `${file} cannot be mapped` : `no ${bytes} bytes of memory for the model`);
  return { at, bytes };
}

function unavailable(message: string): EigenError {
  return new EigenError('EW5003_ENGINE_UNAVAILABLE', message, {
    hint: 'Use --engine wasm; it gives the same outputs.',
  });
}

function reasonOf(modules: readonly KernelId[], wanted: string | undefined): string {
  const natives = modules.filter((m) => m.platform !== 'wasm').map((m) => `${m.platform} ${m.variant}`);
  const there = natives.length === 0 ? 'it has none' : `it has ${natives.join(', ')}`;
  return wanted === undefined
    ? `the bundle has no native kernels that this processor runs; ${there}`
    : `the bundle has no native kernels of variant '${wanted}' that this processor runs; ${there}`;
}
