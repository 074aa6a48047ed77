import { bytesOf, type Tensor, tensor } from '../../../sdk/util/tensor.ts';
import { type LayerJson, sequential } from './layer-cases.ts';

/** A layers model in memory: model.json, and the bytes of its one file of weights. */
export interface SmallModel {
  readonly json: Uint8Array;
  readonly weights: Uint8Array;
}

export const encode = (json: object): Uint8Array => new TextEncoder().encode(JSON.stringify(json));

/** A Sequential with weights that go up from 0. */
export function smallModel(
  layers: readonly LayerJson[],
  shapes: Readonly<Record<string, readonly number[]>>,
): SmallModel {
  const weights = Object.entries(shapes).map(([name, shape]) => ({ name, shape, dtype: 'float32' }));
  const values = weights.map(({ shape }) => bytesOf(counted(shape).data));
  return {
    json: encode({ modelTopology: sequential(layers), weightsManifest: [{ paths: ['weights.bin'], weights }] }),
    weights: new Uint8Array(Buffer.concat(values)),
  };
}

/** 0, 0.1, 0.2, ... */
export function counted(shape: readonly number[]): Tensor<'f32'> {
  const t = tensor('f32', shape);
  for (let i = 0; i < t.data.length; i++) t.data[i] = i / 10;
  return t;
}
