import { EigenError, isEigenError } from '../../util/errors.ts';
import { bytesOf, type Tensor, tensor, viewBytes } from '../../util/tensor.ts';
import type { Shadow } from './gate.ts';
import type { LoadedModel, Signature, Tensors } from './model.ts';

/** Outputs, and the SHA-256 of the blob of the model that they are of. */
export interface Answered {
  readonly model: string;
  readonly outputs: Tensors;
}

/** What runs: its blob, and what it takes and gives. */
export interface Serving {
  readonly model: string;
  readonly modelBytes: number;
  readonly signature: Signature;
}

interface Served {
  readonly sha256: string;
  readonly model: LoadedModel;
  running: number;
  failures: number;
  lastFailure?: string;
  retired: boolean;
}

/**
 * The model that applications use. It changes between two inferences: one that has begun ends on the model it began with, which is
 * closed after that.
 */
export class ModelHost {
  private served: Served | undefined;
  private shadow: Shadow | undefined;
  private readonly listeners = new Set<() => void>();

  /** SHA-256 of the blob of the model that runs. */
  get serving(): string | undefined {
    return this.served?.sha256;
  }

  /** The model that runs; undefined while there is none. */
  describe(): Serving | undefined {
    const { served } = this;
    return served && { model: served.sha256, modelBytes: served.model.modelBytes, signature: served.model.signature };
  }

  /** What went wrong with the model that runs since it does; inputs of a wrong form are not its fault. */
  get problem(): string | undefined {
    const { served } = this;
    return served?.lastFailure === undefined
      ? undefined
      : `${served.failures} inferences failed: ${served.lastFailure}`;
  }

  /** One inference. Throws EW5003_ENGINE_UNAVAILABLE while there is no model. */
  async run(inputs: Tensors): Promise<Tensors> {
    return (await this.answer(inputs)).outputs;
  }

  /** One inference, and by which model. */
  async answer(inputs: Tensors): Promise<Answered> {
    const { served } = this;
    if (!served)
      throw new EigenError('EW5003_ENGINE_UNAVAILABLE', 'no model is installed', {
        hint: 'Assign one to this device.',
      });
    const shadow = this.shadow?.wantsMore ? this.shadow : undefined;
    const copy = shadow && copyOf(inputs);
    served.running++;
    try {
      return { model: served.sha256, outputs: await served.model.run(inputs) };
    } catch (e) {
      if (!isEigenError(e) || e.code !== 'EW3202_DATA_INVALID') {
        served.failures++;
        served.lastFailure = e instanceof Error ? e.message : String(e);
      }
      throw e;
    } finally {
      served.running--;
      closeIfDone(served);
      if (shadow && copy) setImmediate(() => void shadow.take(copy));
    }
  }

  /** From the next inference on another model runs, or none. */
  swap(next?: { readonly sha256: string; readonly model: LoadedModel }): void {
    const before = this.served;
    this.served = next && { ...next, running: 0, failures: 0, retired: false };
    this.shadow = undefined;
    if (before) {
      before.retired = true;
      closeIfDone(before);
    }
    for (const listener of this.listeners) listener();
  }

  /** Calls `listener` after every swap, until the returned function is called. */
  onSwap(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Tries the inputs of coming inferences on another model too, after they were answered. */
  shadowWith(shadow: Shadow | undefined): void {
    this.shadow = shadow;
  }
}

function closeIfDone(served: Served): void {
  if (served.retired && served.running === 0) served.model.close();
}

function copyOf(inputs: Tensors): Tensors {
  const copies = Object.entries(inputs).map(([name, t]): [string, Tensor] => [
    name,
    tensor(t.dtype, t.shape, viewBytes(t.dtype, bytesOf(t.data).slice())),
  ]);
  return Object.fromEntries(copies);
}
