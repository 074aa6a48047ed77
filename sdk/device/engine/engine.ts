import { EigenError } from '../../util/errors.ts';
import {
  byteLength,
  formatType,
  sameShape,
  type Tensor,
  type TypedArray,
  tensor,
  viewBytes,
} from '../../util/tensor.ts';
import type { KernelId, Platform } from '../../wire/kernels.ts';
import type { Program, Slot } from '../../wire/program.ts';

export interface EngineOptions {
  /** Parts of every step that run at the same time; 1 by default. Results do not depend on it. */
  readonly threads?: number;
  /** Whether threads share steps, too, that are too small for it to pay: kernels are tested so. */
  readonly splitAll?: boolean;
  /** Whether it may be used at once, before all threads have started and without what they are kept apart by, which both take a while. */
  readonly early?: boolean;
  /** Forces a kernel variant; by default what the machine can do decides. */
  readonly variant?: string;
}

/** Runs a program in this process: inputs and outputs lie in an arena, steps are functions of a module of kernels. */
export abstract class Engine {
  readonly program: Program;
  readonly platform: Platform;
  readonly variant: string;
  readonly threads: number;
  /** Bytes of memory that the model needs: weights + arena + scratch. */
  readonly modelBytes: number;
  /** What inputs are written to and outputs read from: to make them anew takes as long as a layer of a small model. */
  private readonly views = new Map<Slot, TypedArray>();

  protected constructor(program: Program, kernels: KernelId, threads: number, scratchBytes: number) {
    this.program = program;
    this.platform = kernels.platform;
    this.variant = kernels.variant;
    this.threads = threads;
    this.modelBytes = program.weightBytes + program.arenaBytes + scratchBytes * threads;
  }

  /** Runs steps [from, to) on what is in the arena; `ended` is told of each step when all its parts have ended, for profiles. */
  abstract runSteps(from: number, to: number, ended?: (step: number) => void): void;

  /** View of arena bytes, for saving and restoring a paused run. Shared with the kernels: do not keep it. */
  abstract arena(offset: number, bytes: number): Uint8Array;

  /** Overwrites resident weight bytes. */
  abstract writeWeights(offset: number, bytes: Uint8Array): void;

  abstract close(): void;

  /**
   * One inference. Inputs and outputs by name; outputs are copies, in the tensors of `into` where it has them, so that an application that
   * runs for long makes no garbage.
   * @throws EigenError EW3202_DATA_INVALID naming the tensor that is not of the model's type.
   */
  run(inputs: Readonly<Record<string, Tensor>>, into: Readonly<Record<string, Tensor>> = {}): Record<string, Tensor> {
    const { outputs } = this.program;
    for (const slot of outputs) if (into[slot.name]) checkType('output', slot, into[slot.name], outputs);
    return this.pass(inputs, into);
  }

  /** One inference. */
  protected pass(
    inputs: Readonly<Record<string, Tensor>>,
    into: Readonly<Record<string, Tensor>>,
  ): Record<string, Tensor> {
    const { steps, outputs } = this.program;
    this.setInputs(inputs);
    this.runSteps(0, steps.length);
    const results: Record<string, Tensor> = {};
    for (const slot of outputs) results[slot.name] = this.readSlot(slot, into[slot.name]);
    return results;
  }

  setInputs(inputs: Readonly<Record<string, Tensor>>): void {
    for (const slot of this.program.inputs) this.copyIn(slot, this.given(slot, inputs).data);
  }

  /** The tensor of an input. Throws what `run` does. */
  protected given(slot: Slot, inputs: Readonly<Record<string, Tensor>>): Tensor {
    const t = inputs[slot.name];
    checkType('input', slot, t, this.program.inputs);
    return t;
  }

  /** Copy of a slot's present content, in a tensor of its type where one is given. */
  readSlot(slot: Slot, into?: Tensor): Tensor {
    const data = this.copyOut(slot, into?.data);
    return into ?? tensor(slot.dtype, slot.shape, data);
  }

  /** A slot's content in place after `runSteps`: it changes when the engine runs. What `run` uses where the application has it is not there. */
  viewSlot(slot: Slot): Tensor {
    return tensor(slot.dtype, slot.shape, viewBytes(slot.dtype, this.arena(slot.offset, byteLength(slot))));
  }

  protected copyIn(slot: Slot, data: TypedArray): void {
    (this.view(slot) as Float32Array).set(data as Float32Array);
  }

  /** Into `data` where it is given. */
  protected copyOut(slot: Slot, data?: TypedArray): TypedArray {
    const view = this.view(slot);
    if (!data) return view.slice();
    (data as Float32Array).set(view as Float32Array);
    return data;
  }

  /** A slot's place in the arena. */
  protected view(slot: Slot): TypedArray {
    let view = this.views.get(slot);
    if (!view) {
      view = viewBytes(slot.dtype, this.arena(slot.offset, byteLength(slot)));
      this.views.set(slot, view);
    }
    return view;
  }
}

function checkType(
  what: 'input' | 'output',
  slot: Slot,
  t: Tensor | undefined,
  all: readonly Slot[],
): asserts t is Tensor {
  if (t && t.dtype === slot.dtype && sameShape(t.shape, slot.shape)) return;
  throw new EigenError(
    'EW3202_DATA_INVALID',
    `${what} '${slot.name}' must be ${formatType(slot)}, got ${t ? formatType(t) : 'nothing'}`,
    { hint: `The model's ${what}s are: ${all.map((s) => `${s.name} ${formatType(s)}`).join('; ')}.` },
  );
}
