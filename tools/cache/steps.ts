import { type Tensor, tensor } from '../../sdk/util/tensor.ts';
import type { Forward } from '../quality/task.ts';
import type { DecoderShape } from './step-model.ts';

export type Inputs = Readonly<Record<string, Tensor>>;

/** A decoder's caches before the first token. */
export function emptyCaches({ blocks, heads, width, window }: DecoderShape, dtype: 'f32' | 'i8'): Inputs {
  const shape = [1, heads, window - 1, width / heads];
  const size = (window - 1) * width;
  const empty = (): Tensor => tensor(dtype, shape, dtype === 'i8' ? new Int8Array(size) : new Float32Array(size));
  const names = Array.from({ length: blocks }, (_, i) => [`past.${i}.key`, `past.${i}.value`]).flat();
  return Object.fromEntries(names.map((name) => [name, empty()]));
}

/** Feeds tokens one by one, every step's caches into the next; tells each step's inputs and logits. */
export async function decode(
  model: Forward,
  ids: ArrayLike<bigint>,
  empty: Inputs,
  onStep: (position: number, inputs: Inputs, logits: Tensor) => void,
): Promise<void> {
  const one = (value: bigint): Tensor => tensor('i64', [1, 1], BigInt64Array.of(value));
  let caches = empty;
  for (let p = 0; p < ids.length; p++) {
    const inputs = { ids: one(ids[p]!), position: one(BigInt(p)), ...caches };
    const { logits, ...present } = await model(inputs);
    onStep(p, inputs, logits!);
    caches = Object.fromEntries(Object.entries(present).map(([name, t]) => [name.replace('present', 'past'), t]));
  }
}
