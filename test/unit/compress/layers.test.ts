import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findLayers, weightsOf } from '../../../sdk/compress/layers.ts';
import { type Decoding, PLAIN, SourceRows, sourceColumns } from '../../../sdk/compress/rows.ts';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import { Linalg } from '../../../sdk/util/linalg/linalg.ts';
import { type Tensor, tensor } from '../../../sdk/util/tensor.ts';
import { imageSamples, NetworkBuilder, smallCnn, smallLstm } from './networks.ts';

test('kinds, matrices and positions', () => {
  const layers = findLayers(smallCnn());
  assert.equal(
    layers.map((l) => [l.name, l.kind, l.matrices[0]!.rows, l.matrices[0]!.cols, l.positions]),
    [
      ['first', 'conv', 16, 27, 16],
      ['depthwise', 'depthwise', 16, 9, 16],
      ['pointwise', 'conv', 24, 16, 16],
      ['head', 'linear', 10, 384, 1],
    ],
  );
  const lstm = findLayers(smallLstm());
  assert.equal(
    lstm.map((l) => l.kind),
    ['embedding', 'lstm', 'linear'],
  );
  assert.equal(
    lstm[1]!.matrices.map((m) => [m.rows, m.cols]),
    [
      [96, 16],
      [96, 24],
    ],
  );
});

test('source rows times the matrix are the convolution, strides, padding, dilation and groups included', () => {
  for (const [shape, groups, stride] of [
    [[6, 3, 3, 3], 1, 2],
    [[6, 3, 3, 1], 3, 1],
    [[6, 1, 1, 3], 1, 1],
  ] as const) {
    const n = new NetworkBuilder('c', 4);
    const x = n.input('image', { dtype: 'f32', shape: [1, 8, 8, 3] });
    const graph = n.build(n.conv('conv', x, shape, groups, stride));
    const layer = findLayers(graph)[0]!;
    const sample = imageSamples(1)[0]!;
    const want = evaluateGraph(graph, sample)['conv.relu']!.data as Float32Array;
    const columns = layer.kind === 'depthwise' ? layer.matrices[0]!.cols * 4 : sourceColumns(layer);
    const la = new Linalg();
    const source = new SourceRows(la, layer, columns, layer.positions * columns);
    const positions = la.putInts(Int32Array.from({ length: layer.positions }, (_, i) => i));
    source.gather(sample.image!, PLAIN, positions, layer.positions);
    const rows = la.f32(source.rows, layer.positions * columns);
    const w = weightsOf(graph, layer.matrices[0]!);
    const bias = graph.values.get(layer.bias)!.data!.data as Float32Array;
    const { cols } = layer.matrices[0]!;
    for (let p = 0; p < layer.positions; p++) {
      for (let o = 0; o < 6; o++) {
        let sum = bias[o]!;
        for (let c = 0; c < cols; c++) {
          // Depthwise rows are [tap][channel]; two outputs share a channel here.
          const at = layer.kind === 'depthwise' ? c * 4 + Math.floor(o / 2) : c;
          sum += rows[p * columns + at]! * w[o * cols + c]!;
        }
        assert.ok(Math.abs(Math.max(0, sum) - want[p * 6 + o]!) < 1e-5);
      }
    }
  }
});

test('source rows of codes are what the codes stand for, with one scale, one a channel, or one a row', () => {
  const graphs = (['full', 'depthwise', 'linear'] as const).map((kind) => {
    const n = new NetworkBuilder('c', 4);
    const x = n.input('image', { dtype: 'f32', shape: [1, 4, 4, 3] });
    if (kind === 'linear') return n.build(n.linear('dense', x, 6));
    return n.build(kind === 'full' ? n.conv('conv', x, [6, 3, 3, 3], 1, 1) : n.conv('conv', x, [6, 3, 3, 1], 3, 1));
  });
  const scales = { scale: Float64Array.of(0.1, 0.3, 1 / 7), zp: Int32Array.of(-3, 0, 100) };
  const one = { scale: Float64Array.of(0.3), zp: Int32Array.of(-3) };
  const rowScale = Float32Array.from({ length: 16 }, (_, i) => 1 + i / 3);
  for (const [graph, decoding, dtype] of [
    [graphs[0]!, one, 'i8'],
    [graphs[0]!, one, 'i16'],
    [graphs[0]!, scales, 'i8'],
    [graphs[1]!, scales, 'i16'],
    [graphs[2]!, { ...one, rowScale }, 'i8'],
  ] as const) {
    const layer = findLayers(graph)[0]!;
    const most = dtype === 'i8' ? 127 : 20000;
    const codes = Array.from({ length: 48 }, (_, i) => (i * 7919) % most);
    const { scale, zp } = decoding;
    const floats = codes.map((q, i) => {
      const c = scale.length === 1 ? 0 : i % 3;
      return (q - zp[c]!) * scale[c]! * ('rowScale' in decoding ? rowScale[Math.floor(i / 3)]! : 1);
    });
    const la = new Linalg();
    const columns = layer.kind === 'depthwise' ? layer.matrices[0]!.cols * 4 : sourceColumns(layer);
    // Not all positions, and in an order of their own.
    const positions = la.putInts([5, 0, 15, 10]);
    const rowsOf = (data: Tensor, how: Decoding): Float32Array => {
      const source = new SourceRows(la, layer, columns, 4 * columns);
      source.gather(data, how, positions, 4);
      return la.f32(source.rows, 4 * columns).slice();
    };
    const wanted = rowsOf(tensor('f32', [1, 4, 4, 3], floats), PLAIN);
    const found = rowsOf(tensor(dtype, [1, 4, 4, 3], codes), decoding);
    assert.ok(found.every((v, i) => Math.abs(v - wanted[i]!) <= 1e-6 * Math.abs(v)));
  }
});

test('a large constant operand of arithmetic is a table', () => {
  const n = new NetworkBuilder('t', 1);
  const x = n.input('x', { dtype: 'f32', shape: [1, 64, 64] });
  const table = n.b.constant('position', tensor('f32', [1, 64, 64]));
  assert.equal(
    findLayers(n.build(n.op('Add', 'sum', [x, table]))).map((l) => l.kind),
    ['table'],
  );
});

test.run();
