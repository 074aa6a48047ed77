import * as ort from 'onnxruntime-web';
import { type DType, type Tensor, type TypedArray, tensor } from '../../sdk/util/tensor.ts';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'fatal';

const TO_ORT: Partial<Record<DType, string>> = {
  f32: 'float32',
  i64: 'int64',
  i32: 'int32',
  u8: 'uint8',
  i8: 'int8',
  bool: 'bool',
};
const FROM_ORT = Object.fromEntries(Object.entries(TO_ORT).map(([k, v]) => [v, k as DType]));

/** Runs a model with onnxruntime-web, one thread: the other opinion on every result. */
export async function runOnnx(
  bytes: Uint8Array,
  inputs: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const session = await ort.InferenceSession.create(new Uint8Array(bytes), { logSeverityLevel: 4 });
  const feeds = Object.entries(inputs).map(([name, t]) => [
    name,
    new ort.Tensor(TO_ORT[t.dtype] as 'float32', t.data as Float32Array, t.shape),
  ]);
  const out = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(
    Object.entries(out).map(([name, t]) => [
      name,
      tensor(FROM_ORT[t.type]!, t.dims, t.data as TypedArray as Float32Array),
    ]),
  );
}

/** Largest difference of two tensors over the largest magnitude of the second; Infinity when shapes or types differ. */
export function relativeError(a: Tensor, b: Tensor): number {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY;
  let [worst, largest] = [0, 0];
  for (let i = 0; i < b.data.length; i++) {
    const [x, y] = [Number(a.data[i]), Number(b.data[i])];
    if (x !== y && !(Number.isNaN(x) && Number.isNaN(y)))
      worst = Math.max(worst, Number.isNaN(x - y) ? Number.POSITIVE_INFINITY : Math.abs(x - y));
    if (Number.isFinite(y)) largest = Math.max(largest, Math.abs(y));
  }
  return worst === 0 ? 0 : worst / (largest || 1);
}
