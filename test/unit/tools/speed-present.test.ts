import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { speedPage } from '../../../tools/speed/present/page.ts';
import { withSpeed } from '../../../tools/speed/present/readme.ts';
import { documentText, profileTable } from '../../../tools/speed/present/tables.ts';
import type { ModelSpeed, SpeedDocument, SpeedRow } from '../../../tools/speed/results.ts';

const row = (contestant: string, median: number): SpeedRow => ({
  contestant,
  detail: `${contestant} 1.0`,
  median,
  low: median,
  high: median,
  error: 1e-3,
  digest: 'd',
});

const layer = (node: string, median: number) => ({
  node,
  kind: 'qconv',
  fused: [],
  seconds: { median, low: median, high: median },
  share: median / 2e-3,
  macs: 2e6,
  bytes: 1000,
  GMACps: 2e6 / median / 1e9,
  GBps: 1,
  bound: 'compute' as const,
  ofRoof: 0.5,
});

const model: ModelSpeed = {
  model: 'a<b',
  work: 'convolutions',
  macs: 4e6,
  rows: [row('wasm20', 2e-3), row('web20', 4e-3)],
  absent: [{ contestant: 'tfjs', reason: 'no translation of LSTM' }],
  comparisons: [{ ours: 'wasm20', over: 'web20', ratio: { median: 2, low: 1.9, high: 2.1 }, goal: 3.3 }],
  rounds: { kept: 15, dropped: 1, repeated: 0 },
  profiles: [{ contestant: 'wasm20', rows: [layer('slow', 1.5e-3), layer('fast', 0.5e-3)] }],
};

const document: SpeedDocument = {
  run: 'run',
  machine: { processor: 'a processor', cores: 2, node: 'v20.0.0', others: ['Node 20.0.0'] },
  settings: { rounds: 15, turnMs: 40 },
  models: [model],
  failures: [],
};

test('the terminal is told ratios, times, misses with their layers, and who is absent why', () => {
  const text = documentText(document);
  assert.match(text, '2.00x (1.90 to 2.10, goal 3.3)');
  assert.match(text, '4.00 ms');
  assert.match(text, '15 (1 dropped)');
  assert.match(text, /slow +qconv +1\.50 ms +75\.0 %/);
  assert.match(text, 'tfjs-wasm: no translation of LSTM');
  assert.match(text, 'wasm 20 is ours wasm, Node 20: wasm20 1.0');
});

test('where a processor is restrained, it is said how, and which comparison has the goal', () => {
  assert.not.match(documentText(document), 'AVX2 alone');
  const ratio = { median: 1.6, low: 1.5, high: 1.7 };
  const comparisons = [
    { ours: 'avx2', over: 'nodeavx2', ratio, goal: 1.7 },
    { ours: 'avx2', over: 'node', ratio },
  ];
  const text = documentText({ ...document, models: [{ ...model, comparisons }] });
  assert.match(text, /native AVX2 : ort-node on AVX2 alone +native AVX2 : ort-node\n/);
  assert.match(text, /1\.60x \(1\.50 to 1\.70, goal 1\.7\) +1\.60x \(1\.50 to 1\.70\)/);
  assert.match(text, 'cpuid instructions of a copy of its library trap');
});

test('layers beyond the first dozen are summed up', () => {
  const rows = Array.from({ length: 20 }, (_, i) => layer(`l${i}`, 1e-4));
  const table = profileTable({ contestant: 'wasm20', rows });
  assert.is(table.length, 14);
  assert.is(table.at(-1)![0], '8 others');
});

test('the page has a figure a comparison and a model, and escapes names', () => {
  const page = speedPage(document);
  assert.is(page.match(/<figure>/g)?.length, 3);
  assert.match(page, 'a&lt;b');
  assert.not.match(page, 'a<b');
});

test('README.md gets the tables between its markers', () => {
  const begin = '<!-- speed: written by `npm run bench:speed -- --write` -->';
  const text = withSpeed(`before\n${begin}\nold\n<!-- /speed -->\nafter\n`, document);
  assert.match(text, '| a<b | 2.00x (1.90 to 2.10, goal 3.3) |');
  assert.not.match(text, 'old');
  assert.match(text, /after\n$/);
});

test.run();
