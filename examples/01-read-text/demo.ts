/**
 * `npm run demo`: the English text recogniser of PP-OCR v4, compressed eight times for a Raspberry Pi 4, against the original on lines of
 * text that are drawn here. Prints a table, writes out/demo/report.html; ends with 4 when something that it has to show fails.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { claimsOf } from './claims.ts';
import { compressRecogniser } from './compressed.ts';
import { pageOfDemo } from './page.ts';
import { lineProgress } from './progress.ts';
import type { DemoResult } from './result.ts';
import { runDemo } from './run.ts';
import { textOf } from './table.ts';

const EXIT_NOT_SHOWN = 4;

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '600' },
    calib: { type: 'string', default: '200' },
    target: { type: 'string', default: 'raspberry-pi-4b' },
    out: { type: 'string', default: join(import.meta.dirname, '../../out/demo') },
    json: { type: 'boolean', default: false },
  },
});

const note = (line: string): void => void process.stderr.write(`${line}\n`);

function count(name: 'lines' | 'calib'): number {
  const n = Number(values[name]);
  if (Number.isInteger(n) && n > 0) return n;
  note(`demo: --${name} must be a positive whole number, got '${values[name]}'`);
  process.exit(2);
}

/** Without the pixels: what --json prints. */
function withoutPictures(result: DemoResult): unknown {
  return { ...result, shown: result.shown.map(({ line, ...read }) => ({ text: line.text, ...read })) };
}

const progress = lineProgress(note);
const setting = { board: values.target, out: values.out, progress, note };
const result = await runDemo(
  { calibrationLines: count('calib'), evaluationLines: count('lines'), shownLines: 10, progress },
  (files, calibration) => compressRecogniser(files, calibration, setting),
);
const claims = claimsOf(result);
await mkdir(values.out, { recursive: true });
const reportPath = join(values.out, 'report.html');
await writeFile(reportPath, pageOfDemo(result, claims));

const failed = claims.filter((c) => !c.holds && !c.goal);
if (values.json) {
  process.stdout.write(
    `${JSON.stringify({ ok: failed.length === 0, claims, result: withoutPictures(result) }, null, 2)}\n`,
  );
} else {
  process.stdout.write(`${textOf(result, claims)}\n\n`);
  const stages = Object.entries(result.seconds).map(([stage, s]) => `${stage} ${s.toFixed(1)} s`);
  process.stdout.write(`took ${stages.join(', ')}\nreport: ${relative('.', reportPath)}\n`);
}
for (const c of failed) note(`not shown: ${c.name} is ${c.measured}, required is ${c.required}`);
process.exitCode = failed.length > 0 ? EXIT_NOT_SHOWN : 0;
