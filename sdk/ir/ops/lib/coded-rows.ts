import type { OnnxWriter } from '../../backend.ts';
import { floats, i64 } from './arrays.ts';

/** Input `x` of codes times the scales of its rows, input `scales`, where there are any. */
export function codedRows(w: OnnxWriter, x: number, scales: number): string {
  const by = w.input(scales);
  if (by === '') return w.input(x);
  return w.emit('Mul', [w.input(x), w.emit('Unsqueeze', [by, w.constantValue(i64([-1]))])]);
}

/** Scales of weights, constant input `i`, where the codes of input `x` have become floats with a scale of their own. */
export function remainingScales(w: OnnxWriter, x: number, i: number): Float32Array {
  const { scale } = w.quantization(x);
  if (scale.length !== 1) w.reject('its input has several scales');
  return floats(w.need(i)).map((v) => v / scale[0]!);
}
