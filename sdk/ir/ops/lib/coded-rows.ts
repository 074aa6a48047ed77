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

/** Input `x` of codes less the zero points that the node takes off: they may differ from those that the codes were made with. */
export function centredCodes(w: OnnxWriter, x: number, zp: Int32Array): string {
  const { scale, zero } = w.quantization(x);
  const n = Math.max(scale.length, zero.length, zp.length);
  const at = (values: Int32Array | Float32Array, i: number): number => values[values.length === 1 ? 0 : i]!;
  const shift = Float32Array.from({ length: n }, (_, i) => (at(zero, i) - at(zp, i)) * at(scale, i));
  if (shift.every((v) => v === 0)) return w.input(x);
  return w.emit('Add', [w.input(x), w.perChannel(shift)]);
}
