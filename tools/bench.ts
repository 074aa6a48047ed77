/**
 * Speed: ours, compressed and float, against onnxruntime-web (and onnxruntime-node where it is installed) in fp32, one thread, interleaved
 * rounds in one process, outputs compared. On the models of ../shared/models where they are, on built ones otherwise.
 * Options: --filter TEXT (part of a model's name), --rounds N (15), --built (the built models even so), --json.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isEigenError } from '../sdk/index.ts';
import { builtModels } from './speed/built.ts';
import { measureSpeed, type Ratio, type SpeedResult } from './speed/measure.ts';
import { type SampleModel, sharedModels } from './speed/models.ts';

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

interface Failure {
  readonly model: string;
  readonly error: string;
}

/** A model that cannot be built is a finding, and no reason not to time the others. */
async function measureAll(
  models: readonly SampleModel[],
  folder: string,
  rounds: number,
  print: (text: string) => void,
): Promise<{ results: SpeedResult[]; failures: Failure[] }> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const results: SpeedResult[] = [];
  const failures: Failure[] = [];
  for (const model of models) {
    try {
      const result = await measureSpeed(model, folder, { rounds, version });
      results.push(result);
      print(`${textOf(result)}\n`);
    } catch (cause) {
      if (!isEigenError(cause)) throw cause;
      failures.push({ model: model.id, error: `${cause.message} (${cause.code})` });
      print(`FAILED ${model.id}: ${cause.message} (${cause.code})\n`);
    }
  }
  return { results, failures };
}

function optionsOf(args: readonly string[]): { filter: string; rounds: number; built: boolean; json: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      filter: { type: 'string', default: '' },
      rounds: { type: 'string', default: '15' },
      built: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  return { ...values, rounds: Number(values.rounds) };
}

async function main(): Promise<number> {
  const { filter, rounds, built, json } = optionsOf(process.argv.slice(2));
  if (!Number.isInteger(rounds) || rounds < 1) {
    console.error('bench: --rounds takes a count, 1 or more');
    return 2;
  }
  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-bench-'));
  try {
    const shared = built ? [] : sharedModels();
    const all = shared.length > 0 ? shared : await builtModels(folder);
    const models = all.filter((m) => m.id.includes(filter));
    if (models.length === 0) {
      console.error(`bench: no model's name contains '${filter}', there are: ${all.map((m) => m.id).join(', ')}`);
      return 2;
    }
    const print = (text: string): void => (json ? undefined : console.log(text));
    const measured = await measureAll(models, folder, rounds, print);
    const [node, v8] = [process.version, process.versions.v8];
    const machine = { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node, v8 };
    if (json) console.log(JSON.stringify({ machine, rounds, threads: 1, ...measured }, null, 2));
    print(
      `measured: ${rounds} interleaved rounds, one thread; ${machine.processor}, ${machine.cores} cores, Node ${node}, V8 ${v8}`,
    );
    print("largest difference: of an output from onnxruntime-web's, relative to the largest magnitude of that output;");
    print('ours int8 is rounded plainly on few samples here: for its quality see bench:quality');
    return measured.failures.length > 0 ? 1 : 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
