import { numberAt, type Tensor, type TensorType, tensor, toNumbers } from '../../util/tensor.ts';
import type { OnnxImporter, OnnxNode } from '../frontend.ts';
import { roundEven } from '../math.ts';
import { around, f32 } from './lib/arrays.ts';
import { axisOf } from './lib/check.ts';

/**
 * Quantization as ONNX writes it. Constants are computed when the model is read; what is quantized at run time stays in floats: codes
 * are whole numbers in an f32 tensor, so that a model rounds where it did.
 */
export const quantizationImporters: Readonly<Record<string, OnnxImporter>> = {
  QuantizeLinear: importQuantize,
  DequantizeLinear: importDequantize,
  'com.microsoft::MatMulNBits': importMatMulNBits,
  'com.microsoft::GatherBlockQuantized': importGatherBlockQuantized,
};

/** Ranges by element type of the codes, as numbered by ONNX where `output_dtype` names them. */
const CODES: Readonly<
  Record<number, { readonly dtype: 'u8' | 'i8' | 'u16' | 'i16'; readonly range: [number, number] }>
> = {
  2: { dtype: 'u8', range: [0, 255] },
  3: { dtype: 'i8', range: [-128, 127] },
  4: { dtype: 'u16', range: [0, 65535] },
  5: { dtype: 'i16', range: [-32768, 32767] },
  21: { dtype: 'u8', range: [0, 15] },
  22: { dtype: 'i8', range: [-8, 7] },
};

interface Parameters {
  readonly scale: Tensor;
  readonly zero: Tensor | undefined;
  /** Index into scale and zero point of an element. */
  readonly at: (element: number) => number;
  /** A parameter in a shape that broadcasts to the tensor. */
  readonly wide: (t: Tensor) => Tensor;
}

/** One scale for the tensor, one along `axis`, or one a block of `block_size` along it. */
function parametersOf(node: OnnxNode): Parameters {
  const { shape } = node.type(0) ?? node.reject('input 0 is missing');
  const scale = node.need(1, 'scale');
  const zero = node.inputs[2] ? node.need(2, 'zero point') : undefined;
  if (zero && zero.data.length !== scale.data.length) node.reject('scale and zero point differ in shape');
  if (scale.data.length === 1) return { scale, zero, at: () => 0, wide: (t) => f32([], [numberAt(t, 0)]) };
  const axis = axisOf(node.opType, node.int('axis', 1), shape.length);
  const { size, inner } = around(shape, axis);
  const block = node.int('block_size', 0);
  if (block > 0) {
    const blocks = Math.ceil(size / block);
    const expected = shape.map((d, i) => (i === axis ? blocks : d));
    if (scale.shape.join() !== expected.join()) node.reject(`scales [${scale.shape}] are not [${expected}]`);
    const at = (i: number): number => {
      const along = Math.floor(i / inner) % size;
      return (Math.floor(i / inner / size) * blocks + Math.floor(along / block)) * inner + (i % inner);
    };
    return { scale, zero, at, wide: () => node.reject('blocked scales are supported for constants only') };
  }
  if (scale.data.length !== size || scale.shape.length !== 1)
    node.reject(`scales [${scale.shape}] do not belong to axis ${axis} of [${shape}]`);
  const along = [size, ...shape.slice(axis + 1).map(() => 1)];
  return { scale, zero, at: (i) => Math.floor(i / inner) % size, wide: (t) => f32(along, toNumbers(t)) };
}

function define(node: OnnxNode, value: Tensor): void {
  node.emit('Identity', [node.constantValue(value)], {}, node.outputs.slice(0, 1));
}

function importDequantize(node: OnnxNode): void {
  const { scale, zero, at, wide } = parametersOf(node);
  const x = node.constant(0);
  if (x) {
    const zeroAt = (i: number): number => (zero ? numberAt(zero, at(i)) : 0);
    define(
      node,
      f32(
        x.shape,
        toNumbers(x).map((v, i) => (v - zeroAt(i)) * numberAt(scale, at(i))),
      ),
    );
    return;
  }
  const float = node.type(0)?.dtype === 'f32';
  let codes = float ? node.inputs[0]! : node.emit('Cast', [node.inputs[0]!], { to: 'f32' })[0]!;
  if (zero) codes = node.emit('Sub', [codes, node.constantValue(wide(zero))], {})[0]!;
  node.emit('Mul', [codes, node.constantValue(wide(scale))], {}, node.outputs.slice(0, 1));
}

function importQuantize(node: OnnxNode): void {
  const { scale, zero, at, wide } = parametersOf(node);
  const { dtype, range } = codesOf(node, zero);
  const [lo, hi] = range;
  const x = node.constant(0);
  if (x) {
    const codes = toNumbers(x).map((v, i) => {
      const steps = roundEven(Math.fround(v / numberAt(scale, at(i))));
      return Math.min(Math.max(steps + (zero ? numberAt(zero, at(i)) : 0), lo), hi);
    });
    define(node, tensor(dtype, x.shape, codes));
    return;
  }
  const steps = node.emit('Div', [node.inputs[0]!, node.constantValue(wide(scale))], {})[0]!;
  let codes = node.emit('Round', [steps], {})[0]!;
  if (zero) codes = node.emit('Add', [codes, node.constantValue(wide(zero))], {})[0]!;
  node.emit('Clip', [codes], { min: lo, max: hi }, node.outputs.slice(0, 1));
}

/** The type of the codes: that of the zero point, or attribute output_dtype, or u8. */
function codesOf(node: OnnxNode, zero: Tensor | undefined): (typeof CODES)[number] {
  const found = zero
    ? Object.values(CODES).find((c) => c.dtype === zero.dtype)
    : CODES[node.int('output_dtype', 2) || 2];
  return (
    found ??
    node.reject(`quantization to ${zero?.dtype ?? `element type ${node.int('output_dtype', 2)}`} is not supported`)
  );
}

/** Unsigned codes of `bits` bits, little end first, from packed bytes. */
function unpack(bytes: Tensor, bits: number, i: number): number {
  if (bits === 8) return numberAt(bytes, i);
  const per = 8 / bits;
  return (numberAt(bytes, Math.floor(i / per)) >> ((i % per) * bits)) & (2 ** bits - 1);
}

/** A times the transpose of B [N, K], B in blocks of K with a scale and a zero point each; bits 2, 4 or 8. */
function importMatMulNBits(node: OnnxNode): void {
  const [k, n, bits, block] = [node.int('K'), node.int('N'), node.int('bits', 4), node.int('block_size')];
  if (![2, 4, 8].includes(bits) || !(block >= 1)) node.reject(`${bits} bits in blocks of ${block} are not supported`);
  if (node.inputs[4]) node.reject('group indices are not supported');
  const [b, scales] = [node.need(1, 'weights'), node.need(2, 'scales')];
  const zeros = node.inputs[3] ? node.need(3, 'zero points') : undefined;
  const blocks = Math.ceil(k / block);
  const rowBytes = (blocks * block * bits) / 8;
  if (b.data.length !== n * rowBytes || scales.data.length !== n * blocks)
    node.reject(`weights [${b.shape}] and scales [${scales.shape}] are not those of ${n}x${k} in blocks of ${block}`);
  const zeroRow = Math.ceil((blocks * bits) / 8) * (8 / bits);
  const zeroOf = (row: number, at: number): number => {
    if (!zeros) return 2 ** (bits - 1);
    // Zero points of another type than bytes are not packed.
    return zeros.dtype === 'u8' ? unpack(zeros, bits, row * zeroRow + at) : numberAt(zeros, row * blocks + at);
  };
  const w = new Float32Array(n * k);
  for (let row = 0; row < n; row++) {
    for (let c = 0; c < k; c++) {
      const at = Math.floor(c / block);
      const code = unpack(b, bits, row * rowBytes * (8 / bits) + c);
      w[row * k + c] = (code - zeroOf(row, at)) * numberAt(scales, row * blocks + at);
    }
  }
  const inputs = [node.inputs[0]!, node.constantValue(f32([n, k], w))];
  if (node.inputs[5]) inputs.push(node.inputs[5]);
  node.emit('Linear', inputs, {}, node.outputs.slice(0, 1));
}

/** Rows of a table in blocks along its last axis. */
function importGatherBlockQuantized(node: OnnxNode): void {
  const [data, scales] = [node.need(0, 'data'), node.need(2, 'scales')];
  const zeros = node.inputs[3] ? node.need(3, 'zero points') : undefined;
  const { shape, dtype }: TensorType = data;
  const axis = axisOf(node.opType, node.int('quantize_axis', 1), shape.length);
  if (
    node.int('gather_axis', 0) !== 0 ||
    axis !== shape.length - 1 ||
    (dtype === 'u8' && zeros && node.int('bits', 4) !== 8)
  )
    node.reject('only tables gathered along the first axis, in blocks of the last one, are supported');
  const [size, block] = [shape.at(-1)!, node.int('block_size', 128)];
  const blocks = Math.ceil(size / block);
  if (scales.data.length !== (data.data.length / size) * blocks)
    node.reject(`scales [${scales.shape}] are not those of [${shape}] in blocks of ${block}`);
  const middle = dtype === 'i8' ? 0 : 2 ** (node.int('bits', 4) - 1);
  const values = toNumbers(data).map((v, i) => {
    const at = Math.floor(i / size) * blocks + Math.floor((i % size) / block);
    return (v - (zeros ? numberAt(zeros, at) : middle)) * numberAt(scales, at);
  });
  node.emit('Gather', [node.constantValue(f32(shape, values)), node.inputs[1]!], { axis: 0 }, node.outputs.slice(0, 1));
}
