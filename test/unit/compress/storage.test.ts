import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codeRange } from '../../../sdk/compile/emit/c/ranges.ts';
import { planProgram } from '../../../sdk/compile/index.ts';
import { planStatic, Ranges, roundingNoise } from '../../../sdk/compress/activations.ts';
import type { Context } from '../../../sdk/compress/context.ts';
import { buildInteger, emptyLayer } from '../../../sdk/compress/integer.ts';
import { findLayers } from '../../../sdk/compress/layers.ts';
import { exposures } from '../../../sdk/compress/noise.ts';
import { activationsOf } from '../../../sdk/compress/plan-activations.ts';
import { addsFour, isConvolution, storagesOf } from '../../../sdk/compress/storage.ts';
import { type LayerSurvey, Surveys } from '../../../sdk/compress/survey.ts';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import type { Graph } from '../../../sdk/ir/graph.ts';
import { sample } from '../../../sdk/ir/ops/lib/cases.ts';
import { kernelsOf } from '../../../sdk/runner.ts';
import { byteLength, tensor } from '../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../targets/wasm/index.ts';
import { NetworkBuilder } from './networks.ts';

const WINDOW = { strides: [2, 2], pads: [0, 0, 0, 0], dilations: [1, 1], countIncludePad: false, layout: 'nhwc' };

/** A residual block, maximum pooling, a depthwise layer, the mean of all pixels, a classifier. */
function residual(): Graph {
  const n = new NetworkBuilder('residual', 3);
  const x = n.input('image', { dtype: 'f32', shape: [1, 16, 16, 3] });
  const a = n.conv('a', x, [8, 3, 3, 3]);
  const b = n.conv('b', a, [8, 3, 3, 8]);
  const weights = [n.weights('c.w', [8, 3, 3, 8]), n.weights('c.bias', [8])];
  const attrs = { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], groups: 1, layout: 'nhwc' };
  const c = n.op('Conv', 'c', [b, ...weights], attrs);
  const sum = n.op('Relu', 'sum', [n.op('Add', 'add', [a, c])]);
  const pooled = n.op('Pool', 'pooled', [sum], { ...WINDOW, fn: 'max', kernel: [2, 2] });
  const d = n.conv('d', pooled, [8, 3, 3, 1], 8);
  const mean = n.op('Reduce', 'mean', [d], { fn: 'mean', axes: [1, 2], keepdims: false });
  return n.build(n.linear('head', mean, 4));
}

const graph = residual();
const layers = findLayers(graph);
const kernels = kernelsOf(graph);
const storages = storagesOf(graph, layers.filter(isConvolution), kernels);
const storageOf = (v: string) => storages.find((s) => s.members.includes(v));
const image = { image: sample([1, 16, 16, 3]) };

/** Surveys as of a network whose values all lie within [-4, 4]. */
function surveys(): Surveys {
  const out = new Surveys();
  for (const l of layers) out.set(l, { layer: l } as LayerSurvey);
  for (const v of graph.values.values()) {
    const ranges = new Ranges(v.type.shape.at(-1) ?? 1);
    ranges.low.fill(-4);
    ranges.high.fill(4);
    out.ranges.set(v.name, ranges);
  }
  return out;
}

test('what is stored as codes: inputs of convolutions, and what sums, pools and means read', () => {
  assert.ok(storageOf('a.relu')!.whole);
  assert.equal(
    storageOf('a.relu')!
      .uses.map((u) => u.reader.name)
      .sort(),
    ['add', 'b'],
  );
  // The maximum of codes is the code of the maximum: both have one quantization, by what reads the pooled value.
  assert.equal([...storageOf('sum')!.members].sort(), ['pooled', 'sum']);
  assert.equal(
    storageOf('sum')!.uses.map((u) => u.value),
    ['pooled'],
  );
  assert.ok(storageOf('sum')!.perChannel);
  assert.ok(storageOf('d.relu')!.whole);
  assert.not.ok(storageOf('image')!.whole);
  // Sums in registers and small rows stay as they are.
  for (const v of ['c', 'add', 'mean']) assert.is(storageOf(v), undefined, v);
});

test('no large float is in memory but the input, and every node computes what the float graph does', () => {
  const context = { storages } as unknown as Context;
  const plans = activationsOf(context, surveys(), []);
  const quantized = new Map(layers.map((l) => [l, emptyLayer(l)]));
  const { graph: integer } = buildInteger(graph, layers, plans, quantized, kernels);
  assert.equal(
    integer.nodes.map((n) => n.op).filter((op) => !['Quantize', 'Relu'].includes(op)),
    ['QConv', 'QConv', 'QConv', 'Dequantize', 'Add', 'Pool', 'QConv', 'Dequantize', 'Reduce', 'DynQuantize', 'QLinear'],
  );
  const { program, slots } = planProgram(integer, wasmTarget.vectors);
  const floats = slots.filter((s) => s.dtype === 'f32' && byteLength(s) >= 512).map((s) => s.name);
  assert.equal(floats, ['image']);
  assert.ok(program.arenaBytes <= 2 * 16 * 16 * 8 + 128, `${program.arenaBytes} bytes`);
  // Weights are zero codes here: what remains are biases and the quantization of zeros, the same on both sides.
  assert.equal(evaluateGraph(integer, image).head!.shape, [1, 4]);
});

test('16 bits where asked for, for all readers of the value', () => {
  const context = { storages } as unknown as Context;
  const plans = activationsOf(context, surveys(), [{ storage: storageOf('a.relu')!, cost: 1 }]);
  const b = plans.get(layers.find((l) => l.name === 'b')!)!;
  assert.is(b.mode === 'static' && b.bits, 16);
  assert.is(plans.stored.get('a.relu'), b);
  assert.is(plans.stored.get('sum')!.bits, 8);
});

test('where kernels may add four codes of 16 bits, those end at 14 bits, and kernels know that', () => {
  assert.equal(
    layers.filter(addsFour).map((l) => l.name),
    ['b', 'c'],
  );
  const context = { storages } as unknown as Context;
  const plans = activationsOf(context, surveys(), [
    { storage: storageOf('a.relu')!, cost: 1 },
    { storage: storageOf('image')!, cost: 1 },
  ]);
  const quantized = new Map(layers.map((l) => [l, emptyLayer(l)]));
  const { graph: integer } = buildInteger(graph, layers, plans, quantized, kernels);
  const most = (layer: string) =>
    codeRange(integer, integer.nodes.filter((n) => n.op === 'QConv')['abcd'.indexOf(layer)]!.inputs[0]!);
  assert.equal(most('a'), { lo: -32768, hi: 32767 });
  assert.equal(most('b'), { lo: -8191, hi: 8191 });
  assert.equal(most('c'), { lo: -128, hi: 127 });
});

test('a channel that is always zero makes no noise, whatever its scale', () => {
  const ranges = new Ranges(3);
  ranges.add(tensor('f32', [2, 3], [0, 1, -0.5, 0, 2, 0]));
  const plan = planStatic({ perChannel: true, columns: 9 }, ranges, 8);
  const noise = roundingNoise(plan, ranges);
  assert.is(noise[0], 0);
  assert.ok(noise[1]! > (2 / 255) ** 2 / 12 / 1.01 && noise[1]! < 1.2 * (2 / 255) ** 2);
  assert.ok(noise[2]! < noise[1]!);
});

test('noise is followed back from the layers: through sums as it is, through means divided by their length', () => {
  const node = (name: string) => graph.nodes.find((n) => n.name === name)!;
  const measured = new Map(layers.map((l) => [l.node!, new Float64Array(l.name === 'a' ? 3 : 8)]));
  measured.get(node('head'))!.fill(64);
  measured.get(node('d'))!.fill(2);
  measured.get(node('b'))!.fill(1);
  const byReader = exposures(graph, measured);
  const gains = (v: string, reader: string): number[] =>
    Array.from(byReader.get(v)!.find((e) => e.reader.name === reader)!.gains);
  assert.equal(gains('d.relu', 'mean'), new Array(8).fill(1));
  assert.equal(gains('a.relu', 'add'), new Array(8).fill(2));
  assert.equal(gains('a.relu', 'b'), new Array(8).fill(1));
});

test.run();
