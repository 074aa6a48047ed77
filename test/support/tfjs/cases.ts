import { castTensor } from '../../../sdk/ir/ops/cast.ts';
import { sample, sampleInts } from '../../../sdk/ir/ops/lib/cases.ts';
import { bytesOf, type Tensor, tensor, viewBytes } from '../../../sdk/util/tensor.ts';
import { GRAPH_CASES } from './graph-cases.ts';
import { graphDef } from './graph-def.ts';
import { LAYER_CASES } from './layer-cases.ts';
import { type Artifacts, execute, layersModel, predict, savedAs, type Tf, weightsOf } from './oracle.ts';

/** A model as TensorFlow.js saves it, and what it answers to inputs. */
export interface TfjsExample {
  readonly name: string;
  readonly artifacts: Artifacts;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: readonly Tensor[];
}

/** Examples of all cases, with the weights and inputs of a seed. */
export async function* examples(tf: Tf, seed: number): AsyncGenerator<TfjsExample> {
  for (const { name, topology, tokens } of LAYER_CASES) {
    let next = seed;
    const model = await layersModel(tf, topology, (weight, shape) =>
      weight.endsWith('variance') ? sample(shape, next++, 0.5, 1.5) : sample(shape, next++, -0.6, 0.6),
    );
    const inputs = model.inputs.map(({ shape }, i) => {
      const sizes = shape.map((d) => d ?? 1);
      return tokens ? castTensor(sampleInts('i32', sizes, 0, tokens, seed), 'f32') : sample(sizes, seed + i, -2, 2);
    });
    const named = Object.fromEntries(model.inputNames.map((n, i) => [n, inputs[i]!]));
    yield { name, artifacts: await savedAs(model), inputs: named, outputs: predict(tf, model, inputs) };
  }
  for (const c of GRAPH_CASES) {
    const artifacts: Artifacts = { ...graphDef(c), ...weightsOf(c.weights) };
    const inputs = Object.fromEntries(
      Object.entries(c.inputs).map(([name, shape], i) => [name, sample(shape.map(Math.abs), seed + i, -2, 2)]),
    );
    yield { name: c.name, artifacts, inputs, outputs: await execute(tf, artifacts, inputs, c.outputs) };
  }
}

/** model.json of an example, whose weights are in one file. */
export function modelJson({ artifacts: { weightData: _, weightSpecs, ...model } }: TfjsExample, file: string): object {
  return { ...model, weightsManifest: [{ paths: [file], weights: weightSpecs }] };
}

type TensorJson = readonly [dtype: string, shape: readonly number[], base64: string];

const pack = ({ dtype, shape, data }: Tensor): TensorJson => [
  dtype,
  shape,
  Buffer.from(bytesOf(data)).toString('base64'),
];

function unpack([dtype, shape, text]: TensorJson): Tensor {
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  return tensor(dtype as 'f32', shape, viewBytes(dtype as 'f32', bytes));
}

/** An example as a line of text, and back. */
export function write(example: TfjsExample): string {
  const { name, inputs, outputs, artifacts } = example;
  return JSON.stringify({
    name,
    model: modelJson(example, 'weights.bin'),
    weights: Buffer.from(artifacts.weightData).toString('base64'),
    inputs: Object.fromEntries(Object.entries(inputs).map(([k, t]) => [k, pack(t)])),
    outputs: outputs.map(pack),
  });
}

/** What a test needs of an example. */
export interface SavedExample {
  readonly name: string;
  readonly json: Uint8Array;
  readonly weights: Uint8Array;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: readonly Tensor[];
}

export function read(line: string): SavedExample {
  const saved = JSON.parse(line) as {
    readonly name: string;
    readonly model: object;
    readonly weights: string;
    readonly inputs: Readonly<Record<string, TensorJson>>;
    readonly outputs: readonly TensorJson[];
  };
  return {
    name: saved.name,
    json: new TextEncoder().encode(JSON.stringify(saved.model)),
    weights: new Uint8Array(Buffer.from(saved.weights, 'base64')),
    inputs: Object.fromEntries(Object.entries(saved.inputs).map(([k, t]) => [k, unpack(t)])),
    outputs: saved.outputs.map(unpack),
  };
}
