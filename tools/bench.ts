/**
 * Speed: ours, compressed and float, against onnxruntime-web (and onnxruntime-node where it is installed) in fp32, one thread, interleaved
 * rounds in one process, outputs compared. On the models of ../shared/models where they are, on built ones otherwise.
 * Options: --filter TEXT (part of a model's name), --rounds N (15), --built (the built models even so), --json.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { builtModels } from './speed/built.ts';
import { measureSpeed, type Ratio, type SpeedResult } from './speed/measure.ts';
import { sharedModels } from './speed/models.ts';

const root = resolve(import.meta.dirname, '..');

function time(seconds: number): string {
  return seconds < 1e-3 ? `${(seconds * 1e6).toFixed(0)} us` : `${(seconds * 1e3).toFixed(seconds < 0.1 ? 2 : 0)} ms`;
}

/** Ratios first, then what they come from. */
function textOf({ model, rows }: SpeedResult): string {
  const others = Object.keys(rows[0]!.over);
  const ratio = ({ median, low, high }: Ratio): string =>
    `${median.toFixed(2)}x (${low.toFixed(2)} to ${high.toFixed(2)})`;
  const cells = rows.map((r) => [
    `  ${r.name} ${r.version}`,
    ...others.map((o) => (o === r.name ? '' : ratio(r.over[o]!))),
    time(r.median),
    `${time(r.low)} to ${time(r.high)}`,
    r.name === 'onnxruntime-web' ? '' : r.error.toExponential(1),
  ]);
  const table = [
    [model, ...others.map((o) => `speed over ${o}`), 'median', 'middle half', 'largest difference'],
    ...cells,
  ];
  const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  return table
    .map((row) =>
      row
        .map((c, i) => (i === 0 ? c.padEnd(widths[i]!) : c.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      filter: { type: 'string', default: '' },
      rounds: { type: 'string', default: '15' },
      built: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    console.error(`bench: --rounds ${values.rounds} is no count`);
    return 2;
  }
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-bench-'));
  try {
    const shared = values.built ? [] : sharedModels();
    const all = shared.length > 0 ? shared : await builtModels(folder);
    const models = all.filter((m) => m.id.includes(values.filter));
    if (models.length === 0) {
      console.error(
        `bench: no model's name contains '${values.filter}', there are: ${all.map((m) => m.id).join(', ')}`,
      );
      return 2;
    }
    const results: SpeedResult[] = [];
    for (const model of models) {
      const result = await measureSpeed(model, folder, { rounds, version });
      results.push(result);
      if (!values.json) console.log(`${textOf(result)}\n`);
    }
    const machine = {
      processor: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      node: process.version,
      v8: process.versions.v8,
    };
    if (values.json) console.log(JSON.stringify({ machine, rounds, threads: 1, results }, null, 2));
    else {
      console.log(
        `measured: ${rounds} interleaved rounds, one thread; ${machine.processor}, ${machine.cores} cores, Node ${machine.node}, V8 ${machine.v8}`,
      );
      console.log(
        "largest difference: of an output from onnxruntime-web's, relative to the largest magnitude of that output;",
      );
      console.log('ours int8 is rounded plainly on few samples here: for its quality see bench:quality');
    }
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
