import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DEFAULT_OPTIONS } from '../../../sdk/index.ts';
import { variants } from '../../../tools/quality/ablation.ts';
import type { Judgement } from '../../../tools/quality/compare.ts';
import { qualityPage } from '../../../tools/quality/present/page.ts';
import { withQuality } from '../../../tools/quality/present/readme.ts';
import { ablationMarkdown, documentMarkdown, exportMarkdown } from '../../../tools/quality/present/tables.ts';
import type { Ablation, ExportStep, QualityDocument, QualityRow } from '../../../tools/quality/results.ts';
import { TASKS } from '../../../tools/quality/tasks.ts';

const judgement = (retention: number): Judgement => ({
  score: 0.9 * retention,
  retention,
  low: retention - 0.01,
  high: retention + 0.01,
  agreement: 0.97,
  divergence: 0.0123,
});

const gate = {
  quality: 0.99,
  low: 0.98,
  high: 1,
  minQuality: 0.985,
  passed: true,
  verdict: 'uncertain' as const,
  agreement: 0.98,
  divergence: 0.01,
  samples: 30,
  measure: 'm',
};

const point = {
  wireBytes: 900,
  residentBytes: 1200,
  divergence: 0.02,
  quality: 0.986,
  low: 0.97,
  high: 1,
  agreement: 0.97,
};

const row = (task: string): QualityRow => ({
  task,
  metric: 'top-1',
  compression: {
    originalBytes: 8000,
    wireBytes: 1000,
    budgetBytes: 1000,
    residentBytes: 1300,
    gate,
    binds: ['wire'],
    progressive: [
      { bytes: 500, share: 0.5, divergence: 0.1, quality: 0.9, agreement: 0.9, samples: 30 },
      { bytes: 1000, share: 1, divergence: 0.01, quality: 0.99, agreement: 0.98, samples: 30 },
    ],
    stages: ['refit'],
    layers: [],
    timings: {},
    seconds: 12,
    peakBytes: 300e6,
    peakLimitBytes: 500e6,
  },
  smallest: { wireBytes: 800, gate: { ...gate, verdict: 'passed' }, points: [point], seconds: 5 },
  evaluation: {
    samples: 400,
    counted: 400,
    original: 0.9,
    ours: judgement(0.995),
    smallest: judgement(0.987),
    half: judgement(0.93),
    plain: judgement(0.5),
    plainWireBytes: 990,
    engine: 'dot7',
    program: { weights: 1300, arena: 200, scratch: 100 },
    floatProgram: { weights: 8000, arena: 1500, scratch: 500 },
    seconds: 1,
  },
});

const ablation = (task: string): Ablation => ({
  task,
  metric: 'top-1',
  samples: 400,
  original: 0.9,
  rows: ['full recipe', 'no refit'].map((variant, i) => ({
    variant,
    wireBytes: 1000,
    stages: [],
    seconds: 1,
    judgement: { ...judgement(0.99 - i / 10), divergence: 0.01 * (i + 1) },
  })),
});

const exported = (task: string): ExportStep => ({
  task,
  metric: 'top-1',
  samples: 400,
  bundle: 0.9,
  originalBytes: 8000,
  forms: (['qdq', 'nbits'] as const).map((form, i) => ({
    form,
    bytes: 2000 + i,
    gzippedBytes: 1100,
    judgement: { ...judgement(0.999), divergence: 0.0001 },
  })),
});

const document: QualityDocument = {
  run: '0',
  machine: { processor: 'p', cores: 2, node: 'v20.1.0' },
  rows: [row('a<b')],
  ablations: [ablation('one'), ablation('two')],
  exports: [exported('e')],
  failures: [{ task: 'c', step: 'compress', error: 'no & why', seconds: 3 }],
};

test('tables: quality, and what it costs', () => {
  const text = documentMarkdown(document);
  assert.match(text, '99.50 % (98.5 to 100.5)');
  assert.match(text, '| 10.00x: 98.7 % | 93.0 % | 50.0 % | 400 |');
  assert.match(text, '| 1,500 | 15.8 % | 16.0 % | 12 | 6000 | 300 MB of 500 MB |');
  const none = { ...row('x'), smallest: { ...row('x').smallest, gate: { ...gate, verdict: 'failed' as const } } };
  assert.match(documentMarkdown({ ...document, rows: [none] }), '| none |');
  assert.match(ablationMarkdown(document.ablations), '| no refit | 0.0200; 97.0 %; 89.0 % | 0.0200; 97.0 %; 89.0 % |');
});

test('tables: exported files, a form a line', () => {
  const text = exportMarkdown(document.exports);
  assert.match(
    text,
    '| e | top-1 | 400 | QDQ | 0.9000 | 0.8991 | 99.90 % (98.9 to 100.9) | 97.00 % | 0.00010 | 25.0 % | 13.8 % |',
  );
  assert.match(text, '| MatMulNBits |');
});

test('page: every part, values escaped, no script', () => {
  const page = qualityPage(document);
  assert.match(page, '1 of 1 tasks keep at least 98.5 %');
  assert.match(page, 'a&lt;b');
  assert.match(page, 'no &amp; why');
  assert.match(page, 'What each stage is worth');
  assert.is(page.match(/<figure>/g)!.length, 6);
  assert.not.match(page, /<script|NaN|undefined|Infinity/);
  assert.not.match(qualityPage({ ...document, rows: [], ablations: [], failures: [] }), /NaN|undefined|Infinity/);
});

test('README: a table only when every task is measured; ablations of three tasks', () => {
  const readme = [
    'x',
    '<!-- quality: written by `npm run bench:quality -- --write` -->',
    'old',
    '<!-- /quality -->',
    '<!-- ablation: written by `npm run bench:quality -- --ablation --write` -->',
    '<!-- /ablation -->',
    '<!-- exports: written by `npm run bench:quality -- --export --write` -->',
    '<!-- /exports -->',
    'y',
  ].join('\n');
  assert.is(withQuality(readme, document), readme);
  const all = {
    ...document,
    rows: TASKS.map((t) => row(t.id)),
    ablations: ['p', 'q', 'r'].map(ablation),
    exports: TASKS.map((t) => exported(t.id)),
  };
  const written = withQuality(readme, all);
  assert.ok(TASKS.every((t) => written.includes(`| ${t.id} |`)));
  assert.match(written, '| full recipe |');
  assert.match(written, `| ${TASKS.at(-1)!.id} | top-1 | 400 | QDQ |`);
  const part = { ...all, exports: all.exports.slice(1) };
  assert.not.match(withQuality(readme, part), '| QDQ |');
  assert.not.match(written, 'old');
  assert.is(withQuality(written, all), written);
  assert.throws(() => withQuality('nothing', all), /lost the marker/);
});

test('variants: every stage that is on, choices, and plain rounding, from the options', () => {
  const all = variants({ ...DEFAULT_OPTIONS, dampings: [1, 3], refit: true, gptq: false });
  const ids = all.map((v) => v.id);
  assert.ok(ids.includes('refit') && !ids.includes('gptq') && !ids.includes('spectrum'));
  assert.equal(all.find((v) => v.id === 'refit')!.stages, { refit: false });
  assert.equal(all.find((v) => v.id === 'dampings')!.stages, { dampings: [1] });
  assert.is(ids.at(-1), 'plain');
  assert.is(new Set(ids).size, ids.length);
});

test.run();
