import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { doesNotFit, type FitReport, fitGraph, fitProgram, type Limit } from '../../../sdk/compile/fit.ts';
import { loadProfile } from '../../../sdk/compile/profile.ts';
import { GraphBuilder } from '../../../sdk/ir/graph.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import type { Program, Slot, Step } from '../../../sdk/wire/program.ts';

const KB = 1024;
const pico = loadProfile('raspberry-pi-pico-2');

/** A chain of convolutions with these output sizes (bytes) and weights of these sizes. */
function chain(activations: readonly number[], weights: readonly number[]): Program {
  // Every other value at the bottom of the arena, the rest at its top.
  const top = Math.max(...weights.map((_, i) => activations[i]! + activations[i + 1]!));
  const slot = (i: number): Slot => {
    const size = activations[i]!;
    return { name: `t${i}`, dtype: 'i8', shape: [size], offset: i % 2 === 0 ? 0 : top - size };
  };
  const steps = weights.map((w, i): Step => {
    const bytes = activations[i]! + activations[i + 1]! + w;
    return { node: `conv${i}`, kind: 'qconv', macs: 100_000, bytes, live: [slot(i)] };
  });
  let offset = 0;
  return {
    name: 'chain',
    inputs: [slot(0)],
    outputs: [slot(activations.length - 1)],
    steps,
    arenaBytes: top,
    scratchBytes: 0,
    weights: weights.map((bytes, i) => {
      offset += bytes;
      return { name: `w${i}`, dtype: 'i8', shape: [bytes], offset: offset - bytes, bytes, layout: { kind: 'plain' } };
    }),
    weightBytes: offset,
  };
}

const sizes = (p: Program) => ({ bundleBytes: p.weightBytes + 1000, weightWireBytes: Math.floor(p.weightBytes / 2) });
const check = (r: FitReport, limit: Limit) => r.checks.find((c) => c.limit === limit)!;

test('a small network fits a Pico 2: weights stay in flash, RAM holds the arena', () => {
  const p = chain([10 * KB, 100 * KB, 20 * KB], [50 * KB, 60 * KB]);
  const r = fitProgram(p, sizes(p), pico);
  assert.is(r.fits, true);
  assert.is(r.runtime, 'firmware');
  assert.is(check(r, 'ram').need.value, 120 * KB + 4 * KB);
  assert.is(check(r, 'ram').have!.value, 440 * KB);
  assert.is(check(r, 'storage').need.value, 110 * KB + 30 * KB);
  assert.equal(
    r.ram.map((x) => x.part),
    ['arena', 'runtime'],
  );
  assert.throws(() => doesNotFit(r), /fits/);
});

test('too large an arena names the layer where activations peak, and by how much', () => {
  const p = chain([10 * KB, 300 * KB, 280 * KB, 10 * KB], [KB, KB, KB]);
  const r = fitProgram(p, sizes(p), pico);
  assert.is(r.fits, false);
  const ram = check(r, 'ram');
  assert.is(ram.ok, false);
  assert.equal([ram.at!.layer, ram.at!.step], ['conv1', 1]);
  const e = doesNotFit(r);
  assert.is(e.code, 'EW2003_DOES_NOT_FIT');
  assert.is(e.exitCode, 4);
  assert.match(
    e.message,
    "ram needs 584 KB, limit 440 KB, 144 KB too much, activations peak at layer 'conv1' (step 1)",
  );
});

test('too many weights for the flash name the weight that passes the limit', () => {
  const p = chain([KB, KB, KB, KB], [2000 * KB, 1500 * KB, 900 * KB]);
  const r = fitProgram(p, sizes(p), pico);
  assert.is(check(r, 'storage').ok, false);
  assert.is(check(r, 'ram').ok, true);
  assert.is(check(r, 'storage').at!.layer, 'w2');
  assert.match(doesNotFit(r).message, "the weights pass the limit at 'w2'");
});

test('on Linux the weights are in RAM and the medium is free to choose', () => {
  const zero = loadProfile('raspberry-pi-zero-2w');
  const p = chain([KB, KB, KB], [200 * 1024 * KB, 200 * 1024 * KB]);
  const r = fitProgram(p, sizes(p), zero);
  assert.is(r.runtime, 'wasm');
  assert.is(check(r, 'storage').have, null);
  assert.is(check(r, 'ram').ok, false);
  assert.equal(check(r, 'ram').at, { layer: 'w1', step: 1, why: 'the weights pass the limit at' });
  assert.is(check(fitProgram(p, sizes(p), zero, { memoryBytes: 2 ** 31 }), 'ram').ok, true);
});

test('a board with NAND flash copies the weights to RAM, and external memory counts', () => {
  const micro = loadProfile('coral-dev-board-micro');
  const p = chain([KB, KB], [8 * 1024 * KB]);
  const r = fitProgram(p, sizes(p), micro);
  assert.is(r.fits, true);
  assert.is(r.ram[0]!.part, 'weights');
  assert.ok(check(r, 'ram').have!.value > 64 * 1024 * KB);
});

test('latency is judged only against a limit, and says how it is known', () => {
  const p = chain([KB, KB, KB], [KB, KB]);
  assert.is(check(fitProgram(p, sizes(p), pico), 'latency').ok, true);
  const r = fitProgram(p, sizes(p), pico, { maxLatencyMs: 0.001 });
  const latency = check(r, 'latency');
  assert.is(latency.ok, false);
  assert.is(latency.need.origin, 'estimated');
  assert.match(doesNotFit(r).message, /latency needs .* ms, limit 0\.00100 ms/);
});

test('every number has an origin: exact from the program and documents, estimated else', () => {
  const p = chain([KB, KB], [KB]);
  const r = fitProgram(p, sizes(p), pico);
  assert.is(check(r, 'ram').have!.origin, 'exact');
  assert.match(check(r, 'ram').have!.why, 'rpi-rp2350');
  assert.is(check(r, 'storage').have!.origin, 'estimated');
  assert.is(r.ram[0]!.bytes.origin, 'exact');
  assert.is(check(r, 'ram').need.origin, 'estimated');
});

/** x [1, 400000] -> Linear 16 -> Linear 8, without biases. */
function mlp() {
  const g = new GraphBuilder('mlp');
  g.input('x', { dtype: 'f32', shape: [1, 40000] });
  const w1 = g.constant('w1', tensor('f32', [16, 40000]));
  const w2 = g.constant('w2', tensor('i8', [8, 16]), { kind: 'codes', bits: 4 });
  g.node({ name: 'fc1', op: 'Linear', inputs: ['x', w1], outputs: ['h'], attrs: {} }, [
    { dtype: 'f32', shape: [1, 16] },
  ]);
  g.node({ name: 'fc2', op: 'Linear', inputs: ['h', w2], outputs: ['y'], attrs: {} }, [
    { dtype: 'f32', shape: [1, 8] },
  ]);
  g.outputs.push('y');
  return g.build();
}

test('a graph that is not compiled yet: weights, live tensors, multiplications', () => {
  const r = fitGraph(mlp(), loadProfile('raspberry-pi-4b'));
  assert.is(r.fits, true);
  assert.is(r.ram[0]!.bytes.value, 16 * 40000 * 4 + (8 * 16) / 2);
  assert.is(r.ram[1]!.bytes.value, 40000 * 4 + 16 * 4);
  assert.is(r.ram[1]!.bytes.origin, 'estimated');
  assert.is(check(r, 'ram').at!.layer, 'fc1');
  const small = fitGraph(mlp(), pico, { maxLatencyMs: 1e6 });
  assert.is(check(small, 'ram').ok, true);
  assert.is(check(small, 'storage').ok, true);
  assert.is(small.latency.steps.length, 2);
});

test.run();
