import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { claimsOf } from '../../../examples/01-read-text/claims.ts';
import { openOriginal } from '../../../examples/01-read-text/original.ts';
import { pageOfDemo } from '../../../examples/01-read-text/page.ts';
import { type DemoResult, memoryShare } from '../../../examples/01-read-text/result.ts';
import { type CompressedModel, runDemo } from '../../../examples/01-read-text/run.ts';
import { chooseShown } from '../../../examples/01-read-text/shown.ts';
import { textOf } from '../../../examples/01-read-text/table.ts';

const layer = {
  name: 'conv<1>',
  op: 'conv',
  shape: [8, 3, 3, 3],
  params: 216,
  bits: 4,
  entropy: 3.1,
  wireBytes: 90,
  residentBytes: 108,
  relativeError: 0.01,
  components: [0.8, 0.15, 0.05],
  ranks: [2, 3, 3] as [number, number, number],
};

const model: Omit<CompressedModel, 'recogniser'> = {
  board: 'raspberry-pi-4b',
  sizes: {
    originalWeights: 8000,
    originalActivations: 2000,
    payload: { bytes: 1000, parts: [{ name: 'codes', bytes: 1000 }] },
    residentWeights: 1300,
    arena: 200,
    bundle: { bytes: 1500, parts: [{ name: 'kernels', bytes: 500 }] },
  },
  summary: {
    layers: [layer],
    totals: {
      params: 2000,
      originalBytes: 8000,
      wireBytes: 1000,
      residentBytes: 1300,
      wireBudgetBytes: 1000,
      ratio: 8,
      sideBytes: 50,
    },
    gate: { quality: 1, low: 0.99, high: 1, minQuality: 0.985, samples: 4, measure: 'top class' },
    frontier: [],
  },
};

/** The original twice, the second one misreading its first line: the whole demo but the compressor. */
async function smallDemo(): Promise<DemoResult> {
  const options = { calibrationLines: 2, evaluationLines: 6, shownLines: 4, progress: () => {} };
  return runDemo(options, async (files, calibration) => {
    assert.is(calibration.length, 2);
    assert.is(calibration[0]!.length, 3 * 48 * 320);
    const original = await openOriginal(files);
    let calls = 0;
    const scores = async (pixels: Float32Array): Promise<Float32Array> => {
      calls++;
      const out = await original.scores(pixels);
      return calls === 6 ? out.map(() => 0) : out;
    };
    return { ...model, recogniser: { name: 'twin', scores, close: () => original.close() } };
  });
}

const result = await smallDemo();

test('the original reads the lines, and a twin with one misread line is told apart', () => {
  assert.ok(result.accuracy.original.character.value > 0.95);
  assert.is(result.accuracy.agreement.value, 5 / 6);
  assert.is(result.shown.length, 4);
  assert.is(result.shown[0]!.compressed, '');
  assert.is(result.originalEngine, 'onnxruntime-web');
});

test('claims: exact limits hold, misses are named, the memory goal is no failure', () => {
  const claims = claimsOf(result);
  const of = (name: string) => claims.find((c) => c.name === name)!;
  assert.ok(of('weight payload').holds, '1/8 exactly');
  assert.not.ok(of('held-out lines').holds, 'six lines are too few');
  assert.not.ok(of('line accuracy kept').holds);
  assert.not.ok(of('speed at one thread').holds);
  assert.is(memoryShare(result.sizes), 0.15);
  assert.equal([of('peak memory').holds, of('peak memory').goal], [false, true]);
  assert.match(of('peak memory').measured, '1.0 points above the goal');
});

test('text: the table, the lines with marks, the verdict', () => {
  const text = textOf(result, claimsOf(result));
  assert.match(text, /weight payload, bytes +8,000 +1,000 {2}1\/8\.00/);
  assert.match(text, /FAILED +line accuracy kept/);
  assert.match(text, /open +peak memory/);
  assert.match(text, `[-${result.shown[0]!.line.text}]`);
});

test('page: pictures inside, names escaped, no script', () => {
  const page = pageOfDemo(result, claimsOf(result));
  assert.is(page.match(/data:image\/png;base64,/g)?.length, 4);
  assert.match(page, 'conv&lt;1&gt;');
  assert.not.match(page.replace(/base64,[^"]*/g, ''), /<script|conv<1>|undefined|NaN/);
});

test('shown lines: half of them differ when there are enough, ordered and repeatable', () => {
  const original = Array.from({ length: 50 }, (_, i) => String(i));
  const compressed = original.map((t, i) => (i % 5 === 0 ? `${t}!` : t));
  const shown = chooseShown(original, compressed, 8);
  assert.is(shown.length, 8);
  assert.is(shown.filter((i) => i % 5 === 0).length, 4);
  assert.equal(
    shown,
    [...shown].sort((a, b) => a - b),
  );
  assert.equal(chooseShown(original, compressed, 8), shown);
  assert.is(chooseShown(original, original, 8).length, 8);
  assert.equal(chooseShown(['a'], ['b'], 8), [0]);
});

test.run();
