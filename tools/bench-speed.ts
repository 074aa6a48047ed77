/**
 * Speed of whole models, one thread: ours compressed at 8x, WebAssembly on two versions of Node and native, against onnxruntime-web,
 * onnxruntime-node in fp32 (with all that the processor has, and with AVX2 alone) and int8, and TensorFlow.js. Every implementation has a
 * process of its own; all take turns, in a round all on the processor that has least to do beside, so that what slows the machine down meets
 * all of them, and ratios are taken within a round. Everything is counted from the application's tensors to its tensors: those of the run before where
 * a runtime writes to such (ours and onnxruntime-node), new ones else. Outputs are compared. What a model gave is kept in out/speed/ under a hash of sources,
 * versions and settings: an interrupted run goes on where it stopped.
 * Writes out/speed.json and out/speed.html.
 *
 * --filter TEXT   models whose name has one of these parts (a,b)   --rounds N   rounds that count (15)
 * --quick         5 rounds of short turns                          --built      models with random weights, not ../shared/models
 * --fresh         measure again what was kept                      --json       print the document instead of the tables
 * --write         put the tables into README.md; refused unless every model was measured in full
 */
import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writeAtomic } from '../sdk/util/files.ts';
import { sha256 } from '../sdk/util/hash.ts';
import { builtModels } from './speed/built.ts';
import { CONTESTANTS } from './speed/contestants.ts';
import { Field } from './speed/field.ts';
import { type SampleModel, sharedModels } from './speed/models.ts';
import { prepare, type SourceHashes, sourceHashes } from './speed/prepare.ts';
import { speedPage } from './speed/present/page.ts';
import { withSpeed } from './speed/present/readme.ts';
import { documentText } from './speed/present/tables.ts';
import type { ModelSpeed, SpeedDocument, SpeedFailure } from './speed/results.ts';

const root = resolve(import.meta.dirname, '..');
const OUT = join(root, 'out');
const FOLDER = join(OUT, 'speed');
const FULL = { rounds: 15, turnMs: 40 };
const QUICK = { rounds: 5, turnMs: 10 };

interface Options {
  readonly filter: string;
  readonly rounds: number;
  readonly turnMs: number;
  readonly built: boolean;
  readonly fresh: boolean;
  readonly json: boolean;
  readonly write: boolean;
}

function optionsOf(args: readonly string[]): Options {
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      filter: { type: 'string', default: '' },
      rounds: { type: 'string' },
      quick: flag,
      built: flag,
      fresh: flag,
      json: flag,
      write: flag,
    },
  });
  const { rounds, turnMs } = values.quick ? QUICK : FULL;
  return { ...values, turnMs, rounds: values.rounds === undefined ? rounds : Number(values.rounds) };
}

/** What was measured of a model in the same circumstances, or measures it now. */
async function measured(
  model: SampleModel,
  field: Field,
  hashes: SourceHashes,
  run: string,
  options: Options,
): Promise<ModelSpeed> {
  const folder = join(FOLDER, model.id.replaceAll('/', '_'));
  const path = join(folder, 'speed.json');
  const before = await readFile(path, 'utf8').catch(() => undefined);
  const earlier = before === undefined ? undefined : (JSON.parse(before) as { run: string; speed: ModelSpeed });
  if (earlier?.run === run && !options.fresh) return earlier.speed;
  const prepared = await prepare(model, folder, hashes, (text) => console.error(`  ${text}`));
  const speed = await field.measure(prepared, folder, options);
  await writeAtomic(path, `${JSON.stringify({ run, speed }, null, 2)}\n`);
  return speed;
}

async function main(): Promise<number> {
  const options = optionsOf(process.argv.slice(2));
  if (!Number.isInteger(options.rounds) || options.rounds < 1) {
    console.error('bench-speed: --rounds takes a count, 1 or more');
    return 2;
  }
  const shared = options.built ? [] : sharedModels();
  const all = shared.length > 0 ? shared : await builtModels(FOLDER);
  const parts = options.filter.split(',').filter(Boolean);
  const models = all.filter((m) => parts.length === 0 || parts.some((p) => m.id.includes(p)));
  if (models.length === 0) {
    console.error(
      `bench-speed: no model's name contains '${options.filter}', there are: ${all.map((m) => m.id).join(', ')}`,
    );
    return 2;
  }
  const partial = models.length < all.length || shared.length === 0 || options.rounds < FULL.rounds;
  if (options.write && partial) {
    console.error('bench-speed: README.md takes the figures of all models of ../shared/models and of full rounds only');
    return 2;
  }
  const field = await Field.open(root, CONTESTANTS, (text) => console.error(text));
  try {
    const hashes = await sourceHashes(root);
    const machine = {
      processor: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      node: process.version,
      others: field.versions,
    };
    const settings = { rounds: options.rounds, turnMs: options.turnMs };
    const run = sha256(hashes.all, JSON.stringify([machine, settings]));
    const rows: ModelSpeed[] = [];
    const failures: SpeedFailure[] = [];
    for (const [i, model] of models.entries()) {
      console.error(`${i + 1}/${models.length} ${model.id}`);
      try {
        rows.push(await measured(model, field, hashes, run, options));
      } catch (cause) {
        failures.push({ model: model.id, error: cause instanceof Error ? cause.message : String(cause) });
      }
      // After every model, so that an interrupted run leaves what it found.
      await writeDocument({ run, machine, settings, models: rows, failures });
    }
    const document = { run, machine, settings, models: rows, failures };
    console.log(options.json ? JSON.stringify(document, null, 2) : documentText(document));
    for (const f of failures) console.error(`FAILED ${f.model}: ${f.error}`);
    if (options.write && failures.length === 0) {
      const path = join(root, 'README.md');
      await writeFile(path, withSpeed(await readFile(path, 'utf8'), document));
    }
    return failures.length > 0 ? 1 : 0;
  } finally {
    field.close();
  }
}

async function writeDocument(document: SpeedDocument): Promise<void> {
  await writeAtomic(join(OUT, 'speed.json'), `${JSON.stringify(document, null, 2)}\n`);
  await writeAtomic(join(OUT, 'speed.html'), speedPage(document));
}

process.exitCode = await main();
