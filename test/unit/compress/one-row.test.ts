import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CompressOptions,
  type CompressResult,
  compress,
  DEFAULT_OPTIONS,
  type Sample,
} from '../../../sdk/compress/index.ts';
import { narrowed } from '../../../sdk/compress/one-row.ts';
import { isHarmless } from '../../../sdk/compress/passes.ts';
import type { Graph } from '../../../sdk/ir/graph.ts';
import { referenceRunner } from '../../../sdk/testing/reference-runner.ts';
import { noProgress } from '../../../sdk/util/progress.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { NetworkBuilder } from './networks.ts';

/** Two large layers and a small one over `rows` rows. */
function perceptron(rows: number): Graph {
  const n = new NetworkBuilder('perceptron', 3);
  const x = n.input('x', { dtype: 'f32', shape: [rows, 48] });
  const hidden = n.op('Relu', 'r1', [n.linear('l1', x, 64)]);
  return n.build(n.linear('l3', n.op('Relu', 'r2', [n.linear('l2', hidden, 40)]), 2));
}

function samples(rows: number): Sample[] {
  const rng = new Rng(5);
  return Array.from({ length: 30 }, () => {
    const x = tensor('f32', [rows, 48]);
    for (let i = 0; i < x.data.length; i++) x.data[i] = rng.normal();
    return { x };
  });
}

function run(rows: number, more: Partial<CompressOptions> = {}): Promise<CompressResult> {
  // A generous size: codes are as wide as they may be.
  const options = { ...DEFAULT_OPTIONS, frontierPoints: 0, spectrum: false, wireBudgetBytes: 5200, ...more };
  return compress(perceptron(rows), { samples: samples(rows) }, options, referenceRunner, noProgress);
}

const bits = ({ report }: CompressResult): number[] => report.layers.map((l) => l.bits);

test('large layers of one row get codes that are multiplied as they lie, small ones go on as they were', async () => {
  const [first, second, last] = bits(await run(1, { oneRowBits: 4 }));
  assert.ok(first! <= 4 && second! <= 4);
  assert.ok(last! > 4);
});

test('where no kernel does so, or products have several rows, codes are as wide as the size allows', async () => {
  assert.ok(Math.min(...bits(await run(1))) > 4);
  assert.ok(Math.min(...bits(await run(3, { oneRowBits: 4 }))) > 4);
});

test('codes stay wide where narrow ones would cost quality', async () => {
  // One-bit codes leave nothing of this network.
  const result = await run(1, { oneRowBits: 2 });
  assert.ok(Math.min(...bits(result)) > 4);
  assert.is(result.report.frontier.length, 1);
});

test('a network is good enough for no other to be looked at by divergence and interval alike', () => {
  assert.ok(isHarmless({ divergence: 0.003, low: 0.996 }, 0.985));
  assert.not.ok(isHarmless({ divergence: 0.005, low: 0.999 }, 0.985));
  assert.not.ok(isHarmless({ divergence: 0.001, low: 0.99 }, 0.985));
  assert.not.ok(isHarmless({ divergence: 0.001, low: 0.996 }, 0.999));
});

test('a unit of narrow codes takes their width in memory at least, and there is none without such codes', () => {
  const curve = (width: number) => ({
    bits: width,
    entropy: Float64Array.of(3, 2),
    resident: Float64Array.of(width, 2.5),
    square: Float64Array.of(1, 4),
  });
  const unit = {
    params: 100,
    sensitivity: 1,
    curves: [curve(3), curve(4), curve(6)],
    excess: { wire: 0.1, resident: 0.2 },
  };
  const narrow = narrowed(unit, 4)!;
  assert.equal(
    narrow.curves.map((c) => [c.bits, ...c.resident]),
    [
      [3, 4, 4],
      [4, 4, 4],
    ],
  );
  assert.equal(narrow.excess, { wire: 0.1, resident: 0 });
  assert.is(narrowed({ ...unit, curves: [curve(6)] }, 4), undefined);
});

test.run();
