import { transposed } from '../../../ir/ops/lib/arrays.ts';
import { EigenError } from '../../../util/errors.ts';
import { type Tensor, tensor } from '../../../util/tensor.ts';
import type { OnnxAttribute, RawTensor } from '../write.ts';
import { blocksOf, fitsInt4, packBlocks, packInt4 } from './pack.ts';

/** auto: four bits where every code of a layer fits, else eight; int4: refuse a layer that does not fit. */
export const WEIGHT_FORMS = ['auto', 'int4', 'int8'] as const;
export type WeightForm = (typeof WEIGHT_FORMS)[number];

/**
 * Products, convolutions of single positions among them, and tables: qdq writes DequantizeLinear before MatMul and Gather, standard operators; nbits writes MatMulNBits and
 * GatherBlockQuantized of com.microsoft, which keep the weights packed while the model runs.
 */
export const MATMUL_FORMS = ['qdq', 'nbits'] as const;
export type MatmulForm = (typeof MATMUL_FORMS)[number];

/** Element types int4 and uint8 of ONNX. */
const INT4 = 22;
const UINT8 = 2;

/** What the forms are written into. */
export interface FormSink {
  emit(op: string, inputs: readonly string[], attrs: Readonly<Record<string, OnnxAttribute>>, output?: string): string;
  initializer(stem: string, data: Tensor | RawTensor): string;
  /** Tells which form a layer took. */
  note(form: string): void;
}

/** The ways in which ONNX holds weight codes. */
export class QuantizedForms {
  private readonly weights: WeightForm;
  private readonly matmul: MatmulForm;

  constructor(weights: WeightForm, matmul: MatmulForm) {
    this.weights = weights;
    this.matmul = matmul;
  }

  /** Whether products keep their weights packed. */
  get packsProducts(): boolean {
    return this.matmul === 'nbits';
  }

  /** Floats of codes with one scale an index of `axis`. */
  dequantized(sink: FormSink, where: string, codes: Tensor<'i8'>, scales: Float32Array, axis: number): string {
    const bits = this.bitsOf(where, codes.data);
    const data = bits === 4 ? { elemType: INT4, shape: codes.shape, raw: packInt4(codes.data) } : codes;
    sink.note(`DequantizeLinear int${bits}`);
    const inputs = [
      sink.initializer(`${where}.codes`, data),
      sink.initializer(`${where}.scales`, tensor('f32', [scales.length], scales)),
    ];
    return sink.emit('DequantizeLinear', inputs, { axis });
  }

  /** x [..., K] times the transpose of codes [N, K]. */
  product(sink: FormSink, where: string, x: string, codes: Tensor<'i8'>, scales: Float32Array): string {
    if (this.matmul === 'qdq') {
      // Columns first, so that a runtime without a kernel for the pair needs no transposition either.
      const columns = transposed(codes, [1, 0]) as Tensor<'i8'>;
      return sink.emit('MatMul', [x, this.dequantized(sink, where, columns, scales, 1)], {});
    }
    const [n, k] = codes.shape as [number, number];
    const bits = this.bitsOf(where, codes.data);
    const blocks = blocksOf(k, bits);
    const raw = packBlocks(codes.data, k, bits, blocks);
    const shape = [n, blocks.count, (blocks.size * bits) / 8];
    sink.note(`MatMulNBits ${bits} bits`);
    const inputs = [
      x,
      sink.initializer(`${where}.codes`, { elemType: UINT8, shape, raw }),
      sink.initializer(`${where}.scales`, repeated(scales, [n * blocks.count], blocks.count)),
    ];
    return sink.emit('com.microsoft::MatMulNBits', inputs, { K: k, N: n, bits, block_size: blocks.size });
  }

  /** Rows of codes [V, D], one scale a row, at `indices`. */
  rows(sink: FormSink, where: string, codes: Tensor<'i8'>, scales: Float32Array, indices: string): string {
    if (this.matmul === 'qdq')
      return sink.emit('Gather', [this.dequantized(sink, where, codes, scales, 0), indices], { axis: 0 });
    const [v, d] = codes.shape as [number, number];
    const bits = this.bitsOf(where, codes.data);
    const blocks = blocksOf(d, bits);
    const data: RawTensor =
      bits === 4
        ? { elemType: INT4, shape: codes.shape, raw: packInt4(codes.data) }
        : { elemType: UINT8, shape: codes.shape, raw: Uint8Array.from(codes.data, (c) => c + 128) };
    sink.note(`GatherBlockQuantized ${bits} bits`);
    const inputs = [
      sink.initializer(`${where}.codes`, data),
      indices,
      sink.initializer(`${where}.scales`, repeated(scales, [v, blocks.count], blocks.count)),
    ];
    return sink.emit('com.microsoft::GatherBlockQuantized', inputs, {
      bits,
      block_size: blocks.size,
      gather_axis: 0,
      quantize_axis: 1,
    });
  }

  private bitsOf(where: string, codes: Int8Array): 4 | 8 {
    if (this.weights === 'int8') return 8;
    if (fitsInt4(codes)) return 4;
    if (this.weights === 'auto') return 8;
    const largest = codes.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
    throw new EigenError('EW1001_USAGE', `--weights int4: '${where}' has codes up to ${largest}, int4 holds -8 to 7`, {
      hint: 'Use --weights auto, which keeps such layers in int8.',
      details: { layer: where, largest },
    });
  }
}

/** Every scale `times` over. */
function repeated(scales: Float32Array, shape: readonly number[], times: number): Tensor<'f32'> {
  return tensor(
    'f32',
    shape,
    Float32Array.from({ length: scales.length * times }, (_, i) => scales[Math.floor(i / times)]!),
  );
}
