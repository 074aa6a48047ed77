// timeout: 120
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CompiledProgram, compileGraph } from '../../sdk/compile/index.ts';
import type { Engine } from '../../sdk/device/engine/engine.ts';
import { WasmEngine } from '../../sdk/device/engine/wasm.ts';
import { buildFloat } from '../../sdk/index.ts';
import { valueNamed } from '../../sdk/ir/graph.ts';
import { sample } from '../../sdk/ir/ops/lib/cases.ts';
import { normalize } from '../../sdk/ir/passes/index.ts';
import { readOnnx } from '../../sdk/model/onnx/index.ts';
import { residentBlock } from '../../sdk/runner.ts';
import { BLOCKS, choose, type TuneRequest, tuneBlocks } from '../../sdk/tune.ts';
import { bytesOf } from '../../sdk/util/tensor.ts';
import { TARGETS } from '../../targets/index.ts';
import { smallCnn } from '../support/small-models.ts';

const graph = normalize(readOnnx(smallCnn().onnx));
const target = TARGETS[0]!;

let folder = '';
const before = process.env.EIGEN_CACHE;
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'eigenweights-tune-'));
  process.env.EIGEN_CACHE = folder;
});
test.after(() => {
  if (before === undefined) delete process.env.EIGEN_CACHE;
  else process.env.EIGEN_CACHE = before;
  rmSync(folder, { recursive: true, force: true });
});

const load = ({ program, modules, ...rest }: CompiledProgram): Promise<Engine> =>
  WasmEngine.load(program, modules, residentBlock({ program, ...rest }), { variant: 'simd128' });

function request(machine: string): TuneRequest {
  let clock = 0;
  return { target, variant: 'simd128', machine, load, now: () => clock++ };
}

test('the smallest block that is as good as the fastest', () => {
  assert.is(choose([10, 9, 8, 8]), BLOCKS[2]);
  assert.is(choose([10, 9.9, 9.9, 9.9]), BLOCKS[0]);
  assert.is(choose([10, 9, 8, 7]), BLOCKS[3]);
});

test('every layer that multiplies has a block, found once for a machine', async () => {
  const first = await tuneBlocks(graph, request('one'));
  assert.ok(first.timed);
  // The clock ticks once a step, so all are as good.
  assert.is(first.blocks.size, 4);
  for (const bytes of first.blocks.values()) assert.is(bytes, BLOCKS[0]);
  const again = await tuneBlocks(graph, request('one'));
  assert.not.ok(again.timed);
  assert.equal(again.blocks, first.blocks);
  assert.ok((await tuneBlocks(graph, request('another'))).timed);
});

test('outputs do not depend on blocks', async () => {
  const inputs = Object.fromEntries(
    graph.inputs.map((name) => [name, sample(valueNamed(graph, name).type.shape, 5, -1, 1)]),
  );
  const outputs = [];
  const sources = new Set<string>();
  for (const bytes of [256, 4096, BLOCKS[3]!]) {
    const blocks = new Map(graph.nodes.map((n) => [n.name, bytes]));
    const compiled = await compileGraph(graph, target, { blocks, variants: ['simd128'] });
    sources.add(compiled.source);
    const engine = await load(compiled);
    outputs.push(Object.values(engine.run(inputs)).map((t) => Buffer.from(bytesOf(t.data)).toString('hex')));
    engine.close();
  }
  assert.ok(sources.size > 1, 'blocks change the kernels');
  assert.equal(outputs[1], outputs[0]);
  assert.equal(outputs[2], outputs[0]);
});

test('another board cannot be tuned here', async () => {
  const error = await buildFloat({ path: 'any.onnx' }, { target: 'raspberry-pi-5', how: { tune: true } }).catch(
    (e) => e,
  );
  assert.is(error.code, 'EW1001_USAGE');
  assert.match(error.message, 'raspberry-pi-5');
});

test.run();
