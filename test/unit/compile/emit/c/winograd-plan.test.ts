import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../../../../sdk/compile/index.ts';
import { GraphBuilder } from '../../../../../sdk/ir/graph.ts';
import { coarsen, codeCounts, pointsOf } from '../../../../../sdk/util/nested.ts';
import { tensor } from '../../../../../sdk/util/tensor.ts';
import { hostTarget } from '../../../../../targets/host/index.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';

interface Layer {
  readonly type: 'i8' | 'i16';
  readonly zp?: number;
  /** Codes of the image. */
  readonly limits: readonly [number, number];
  readonly channels: number;
  readonly outputs: number;
  /** The code of a channel of the result at one of its places. */
  code(channel: number, at: number): number;
}

/** Whether a convolution of an image of 16x16 goes by Winograd's algorithm, with vectors of four lanes and wide ones. */
function transformed({ type, zp = 0, limits, channels: c, outputs: o, code }: Layer): boolean[] {
  const b = new GraphBuilder('g');
  const image = [1, 16, 16, c];
  b.input('x', { dtype: 'f32', shape: image });
  const codes = Int8Array.from({ length: o * 9 * c }, (_, i) => code(Math.floor(i / (9 * c)), i % (9 * c)));
  const inv = b.constant('inv', tensor('f32', [1], Float32Array.of(1)));
  const zero = b.constant('zp', tensor('i32', [1], Int32Array.of(zp)));
  const w = b.constant('w', tensor('i8', [o, 3, 3, c], codes));
  const [m, bias] = ['m', 'b'].map((n) => b.constant(n, tensor('f32', [o], new Float32Array(o).fill(1)))) as [
    string,
    string,
  ];
  const [min, max] = limits.map((n) => n - zp) as [number, number];
  const f32 = { dtype: 'f32', shape: image } as const;
  b.node({ name: 'l', op: 'Clip', inputs: ['x'], outputs: ['l'], attrs: { min, max } }, [f32]);
  b.node({ name: 'q', op: 'Quantize', inputs: ['l', inv, zero], outputs: ['q'], attrs: { to: type } }, [
    { dtype: type, shape: image },
  ]);
  const attrs = { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], groups: 1 };
  b.node({ name: 'y', op: 'QConv', inputs: ['q', w, m, bias, zero], outputs: ['y'], attrs }, [
    { dtype: 'f32', shape: [1, 16, 16, o] },
  ]);
  b.outputs.push('y');
  const graph = b.build();
  const wide = hostTarget.variants.find((v) => v.id === 'avx2')!.vectors!;
  return [wasmTarget.vectors, wide].map((v) => planProgram(graph, v).source.includes('ew_winograd_image('));
}

test('sums have to fit with the codes of any part of the planes', () => {
  const layer = { type: 'i16', limits: [-8191, 8191], channels: 64, outputs: 8 } as const;
  // Coarse codes are no larger than the largest there is.
  const all = (q: number) => (channel: number, at: number) => (channel === 0 ? q : channel + at === 1 ? 127 : 10);
  const coarse = (q: number): number => {
    const codes = Int8Array.from({ length: 8 * 576 }, (_, i) => all(q)(Math.floor(i / 576), i % 576));
    return coarsen(codes, pointsOf(codeCounts(codes), 1))[0]!;
  };
  assert.equal([coarse(113), 4 * 8191 * 576 * 113 < 2 ** 31, 4 * 8191 * 576 * 114 < 2 ** 31], [114, true, false]);
  assert.equal(transformed({ ...layer, code: all(113) }), [false, false]);
  assert.is(coarse(110), 111);
  assert.equal(transformed({ ...layer, code: all(110) }), [true, true]);
});

test('bytes may be as far from their zero point as bytes are, wherever it lies', () => {
  const layer = { type: 'i8', zp: -128, limits: [50, 127], outputs: 16, code: () => 127 } as const;
  assert.ok(4 * (127 - 50) * 9 * 2048 * 127 < 2 ** 31 && 4 * 255 * 9 * 2048 * 127 > 2 ** 31);
  assert.equal(transformed({ ...layer, channels: 2048 }), [false, false]);
  assert.ok(transformed({ ...layer, channels: 1024 })[0]);
});

test.run();
