// timeout: 900
/**
 * Every model in ../shared/models: the arena is what the plan says, and near the least that could hold what is live; small ones also
 * compressed.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CompiledProgram, planProgram } from '../../sdk/compile/index.ts';
import { OVERREAD } from '../../sdk/compile/lifetimes.ts';
import { compress, DEFAULT_OPTIONS, ROUND_TO_NEAREST } from '../../sdk/compress/index.ts';
import { allOf, samplesOf } from '../../sdk/data/samples.ts';
import { type Graph, valueNamed } from '../../sdk/ir/graph.ts';
import { engineRunner, type Model, openModel } from '../../sdk/pipeline.ts';
import { skip } from '../../sdk/testing/index.ts';
import { byteLength } from '../../sdk/util/tensor.ts';
import { encodeInts } from '../../sdk/wire/ints.ts';
import { TARGETS } from '../../targets/index.ts';
import { type SampleModel, samplesFor, sharedModels } from '../../tools/speed/models.ts';

const NEAR = 1.05;
/** Those that are compressed in seconds. */
const COMPRESSED: readonly string[] = ['kws_dscnn', 'cifar_resnet8', 'mnist_mlp', 'ocr_ppocr2_cls', 'vad_silero'];

function check(graph: Graph): void {
  const planned = planProgram(graph, TARGETS[0]!.vectors);
  const { arenaBytes } = planned.program;
  const ratio = arenaBytes / planned.arenaLowerBound;
  assert.ok(ratio <= NEAR, `${arenaBytes} bytes for ${planned.arenaLowerBound} live ones`);
  // What is reported is used to its last vector, and nothing lies beyond.
  const end = endOf(planned);
  assert.ok(end <= arenaBytes - OVERREAD && end > arenaBytes - 2 * OVERREAD, `${end} of ${arenaBytes} bytes used`);
}

function endOf({ slots }: Pick<CompiledProgram, 'slots'>): number {
  return Math.max(...slots.map((s) => s.offset + byteLength(s)));
}

async function compressed(sample: SampleModel, model: Model): Promise<Graph> {
  const inputs = model.graph.inputs.map((name) => ({ name, ...valueNamed(model.graph, name).type }));
  const arrays = await samplesFor(sample, inputs, 8);
  const data = { samples: allOf(samplesOf(arrays, inputs, { fixed: sample.set ?? {}, extra: 'any' })) };
  const options = {
    ...DEFAULT_OPTIONS,
    ...ROUND_TO_NEAREST,
    frontierPoints: 0,
    wireBudgetBytes: Math.floor(model.originalBytes / 8),
    sizer: (codes: Int8Array | Int32Array, rows: number, cols: number) => encodeInts(codes, rows, cols).length,
  };
  return (await compress(model.graph, data, options, engineRunner({}), () => {})).graph;
}

const models = sharedModels();
if (models.length === 0) test('memory', () => skip('memory', '../shared/models is not there'));
for (const sample of models) {
  test(`${sample.id}, float`, async () => check((await openModel(sample)).graph));
  if (COMPRESSED.includes(sample.id))
    test(`${sample.id}, compressed`, async () => check(await compressed(sample, await openModel(sample))));
}

test.run();
