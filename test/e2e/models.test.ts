/**
 * Every model in ../shared/models, as imported and as normalized, evaluated by the reference semantics, against onnxruntime-web; and written as
 * ONNX, run there and read back.
 */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGraph } from '../../sdk/ir/evaluate.ts';
import type { Graph } from '../../sdk/ir/graph.ts';
import { opOf } from '../../sdk/ir/ops/index.ts';
import { sample, sampleInts } from '../../sdk/ir/ops/lib/cases.ts';
import { normalize } from '../../sdk/ir/passes/index.ts';
import { verifyGraph } from '../../sdk/ir/verify.ts';
import { exportOnnx } from '../../sdk/model/onnx/export/index.ts';
import { readOnnx } from '../../sdk/model/onnx/index.ts';
import { type LoadOptions, loadModel } from '../../sdk/model/sniff.ts';
import { skip } from '../../sdk/testing/index.ts';
import { sizeOf, type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { bar } from '../../tools/speed/models.ts';
import { relativeError, runOnnx } from '../support/onnxruntime.ts';
import { shared } from '../support/shared.ts';

/** [1,3,height,width] of dark bars. */
function bars(shape: readonly number[]): Tensor {
  const [height = 1, width = 1] = shape.slice(-2);
  const pixel = (_: unknown, i: number): number => bar(i % width, Math.floor(i / width) % height, width, height);
  return tensor('f32', shape, Float32Array.from({ length: sizeOf(shape) }, pixel));
}

interface ModelCase extends LoadOptions {
  readonly path: string;
  readonly input?: (shape: readonly number[]) => Tensor;
  /** Transpositions of image size that may remain: at an input in NCHW, and between attention heads. */
  readonly transposes?: number;
}

const SAMPLE_RATE = { sr: tensor('i64', [], [16000]) };

const MODELS: readonly ModelCase[] = [
  { path: 'anomaly_autoencoder/model.onnx' },
  { path: 'cifar_resnet8/model.onnx' },
  { path: 'cifar_resnet8/model_large.onnx' },
  { path: 'fashion_mnist/model.onnx' },
  { path: 'fashion_mnist/model_mlp.onnx' },
  { path: 'imagenet_mobilenet_v1/model.onnx' },
  { path: 'kws_dscnn/model.onnx' },
  { path: 'lm_charrnn_darwin/model.onnx', dims: { T: 16 } },
  { path: 'lm_charrnn_shakespeare/model.onnx', dims: { T: 16 } },
  { path: 'lm_gpt_shakespeare/model.onnx', dims: { T: 16 }, transposes: 16 },
  { path: 'mnist_mlp/model.onnx' },
  {
    path: 'ocr_ppocr2_cls/model.onnx',
    dims: { 'p2o.DynamicDimension.1': 48, 'p2o.DynamicDimension.2': 96 },
    transposes: 1,
  },
  {
    path: 'ocr_ppocr4_det/model.onnx',
    dims: { 'p2o.DynamicDimension.1': 64, 'p2o.DynamicDimension.2': 96 },
    input: bars,
    transposes: 1,
  },
  { path: 'ocr_ppocr4_rec/model.onnx', dims: { 'p2o.DynamicDimension.1': 64 }, transposes: 9 },
  { path: 'pitch_crepe_tiny/model.onnx' },
  { path: 'vad_silero/model.onnx', dims: { sequence: 576 }, fixed: SAMPLE_RATE },
  { path: 'vww_mobilenet/model.onnx' },
];

function inputsFor(graph: Graph, make: ModelCase['input']): Record<string, Tensor> {
  const entries = graph.inputs.map((name) => {
    const { dtype, shape } = graph.values.get(name)!.type;
    if (dtype === 'i64') return [name, sampleInts('i64', shape, 0, 60, 3)] as const;
    return [name, make ? make(shape) : sample(shape, 7, -1, 1)] as const;
  });
  return Object.fromEntries(entries);
}

for (const model of MODELS) {
  test(model.path, async () => {
    const path = shared('models', model.path);
    if (!path) return skip(model.path, '../shared/models is not there');
    const graph = loadModel(path, {
      ...(model.dims ? { dims: model.dims } : {}),
      ...(model.fixed ? { fixed: model.fixed } : {}),
    });
    verifyGraph(graph);
    const normal = normalize(graph);
    const inputs = inputsFor(graph, model.input);
    const expected = await runOnnx(readFileSync(path), { ...inputs, ...model.fixed });
    const close = (got: Record<string, Tensor>): void => {
      for (const [name, t] of Object.entries(got))
        assert.ok(relativeError(t, expected[name]!) <= 1e-4, `${name}: ${relativeError(t, expected[name]!)}`);
    };
    for (const g of [graph, normal]) close(evaluateGraph(g, inputs));
    const written = exportOnnx(normal, { producerVersion: '' }).bytes;
    close(await runOnnx(written, inputs));
    close(evaluateGraph(normalize(readOnnx(written)), inputs));
    assert.equal(
      normal.nodes.filter((n) => !opOf(n.op).lower).map((n) => n.op),
      [],
    );
    assert.ok(normal.nodes.every((n) => n.attrs.layout !== 'nchw'));
    assert.is(normal.nodes.filter((n) => n.op === 'Transpose').length, model.transposes ?? 0);
  });
}

test.run();
