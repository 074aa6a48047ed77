import { EigenError, isEigenError } from '../../util/errors.ts';
import { bytesOf, type Tensor, tensor, viewBytes } from '../../util/tensor.ts';
import type { Shadow } from './gate.ts';
import type { LoadedModel, Tensors } from './model.ts';

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

  /** SHA-256 of the blob of the model that runs. */
  get serving(): string | undefined {
    return this.served?.sha256;
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
    const { served } = this;
    if (!served)
      throw new EigenError('EW5003_ENGINE_UNAVAILABLE', 'no model is installed', {
        hint: 'Assign one to this device.',
      });
    const shadow = this.shadow?.wantsMore ? this.shadow : undefined;
    const copy = shadow && copyOf(inputs);
    served.running++;
    try {
      return await served.model.run(inputs);
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
    if (!before) return;
    before.retired = true;
    closeIfDone(before);
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
