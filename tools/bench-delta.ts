/**
 * What an update takes: a multi-layer perceptron of ../shared/models in several states of training, as float and as compressed bundles,
 * and the deltas between these, beside `zstd --patch-from` and `bsdiff` of the same files, where those are installed; what memory it takes
 * to apply them, for models of several sizes; and deltas that are wrong. Writes out/delta/.
 *
 * OLD NEW         two bundles to take instead
 * --corrupted N   how many wrong ones, 10000 by default
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readBundle, weightTensorsOf } from '../sdk/bundle/index.ts';
import { applyDeltaFile, buildCompressed, buildFloat, writeDelta } from '../sdk/index.ts';
import { bytesOf } from '../sdk/util/tensor.ts';
import { tryCorrupted } from './delta/corrupted.ts';
import { writeLayers } from './delta/large.ts';
import { memoryOf, memoryOfApplying } from './delta/memory.ts';
import { type Training, trainFurther } from './delta/train.ts';
import { MODELS } from './quality/task.ts';
import { aligned } from './speed/present/tables.ts';

const FOLDER = resolve(import.meta.dirname, '../out/delta');
const MODEL = join(MODELS, 'fashion_mnist/model_mlp.onnx');
const SAMPLES = join(MODELS, 'fashion_mnist/calib.npz');
const TARGET = 'raspberry-pi-4b';

const STATES: Readonly<Record<string, Training>> = {
  'last layer': { epochs: 10, rate: 0.02, lastOnly: true },
  '2 epochs': { epochs: 2, rate: 0.01 },
  '10 epochs': { epochs: 10, rate: 0.02 },
};

/** Bytes of what a program writes from one file to another; undefined where it is not installed. */
async function byOther(command: string, args: readonly string[], out: string): Promise<number | undefined> {
  const done = spawnSync(command, args, { stdio: 'ignore' });
  return done.status === 0 ? (await stat(out)).size : undefined;
}

async function others(old: string, now: string): Promise<(number | undefined)[]> {
  const out = join(FOLDER, 'other');
  return [
    await byOther('zstd', ['--ultra', '-22', '--long=27', '-qf', `--patch-from=${old}`, now, '-o', out], out),
    await byOther('bsdiff', [old, now, out], out),
  ];
}

/** The values of all constants, one byte a code: what byte-wise tools do better on than on entropy-coded ones. */
async function decoded(path: string): Promise<string> {
  const out = `${path}.values`;
  const tensors = [...weightTensorsOf(await readBundle(path)).values()];
  await writeFile(out, Buffer.concat(tensors.map((t) => bytesOf(t.data))));
  return out;
}

async function rowOf(name: string, old: string, now: string): Promise<string[]> {
  const delta = join(FOLDER, 'update.ewd');
  const { bytes, newBytes, chunkBytes } = await writeDelta(old, now, delta);
  const out = join(FOLDER, 'applied.ewb');
  await applyDeltaFile(old, delta, { out });
  if (Buffer.compare(await readFile(out), await readFile(now)) !== 0) throw new Error(`${name}: not the new bundle`);
  const share = (n: number | undefined): string => (n === undefined ? '-' : `${((100 * n) / newBytes).toFixed(1)} %`);
  const files = await others(old, now);
  const values = await others(await decoded(old), await decoded(now));
  return [name, String(newBytes), share(bytes), share(chunkBytes), ...[...files, ...values].map(share)];
}

/** Both bundles of the model in a file. */
async function build(path: string, name: string): Promise<{ readonly float: string; readonly compressed: string }> {
  const [float, compressed] = [join(FOLDER, `${name}-float.ewb`), join(FOLDER, `${name}.ewb`)];
  await buildFloat({ path }, { target: TARGET, out: float });
  await buildCompressed({ path }, { target: TARGET, calibration: SAMPLES, cwd: FOLDER, out: compressed });
  return { float, compressed };
}

async function trainedRows(): Promise<string[][]> {
  const base = await build(MODEL, 'base');
  const rows: string[][] = [];
  for (const [name, training] of Object.entries(STATES)) {
    const path = join(FOLDER, `${name.replace(' ', '-')}.onnx`);
    await writeFile(path, await trainFurther(MODEL, SAMPLES, training));
    const now = await build(path, name.replace(' ', '-'));
    for (const kind of ['float', 'compressed'] as const)
      rows.push(await rowOf(`${name}, ${kind}`, base[kind], now[kind]));
  }
  return rows;
}

const megabytes = (bytes: number | undefined): string => (bytes === undefined ? '-' : `${(bytes / 1e6).toFixed(1)} MB`);

/** What applying takes for a model of so many layers of 1 MiB, all of whose weights have changed. */
async function memoryRow(layers: number): Promise<string[]> {
  const bundle = (moved: boolean): Promise<string> =>
    writeLayers(join(FOLDER, `layers-${layers}-${moved ? 'new' : 'old'}`), TARGET, layers, moved);
  const [oldPath, newPath] = [await bundle(false), await bundle(true)];
  const [delta, other, out] = ['layers.ewd', 'layers.other', 'layers.out'].map((name) => join(FOLDER, name)) as [
    string,
    string,
    string,
  ];
  const { bytes, newBytes } = await writeDelta(oldPath, newPath, delta);
  const { used, grown } = await memoryOfApplying(oldPath, delta, out);
  const bsdiff = await byOther('bsdiff', [oldPath, newPath, other], other);
  const bspatch = bsdiff === undefined ? undefined : memoryOf('bspatch', [oldPath, out, other]);
  const patch = ['-qf', '--long=27', `--patch-from=${oldPath}`];
  const zstd = await byOther('zstd', [...patch, newPath, '-o', other], other);
  const unzstd = zstd === undefined ? undefined : memoryOf('zstd', ['-d', ...patch, other, '-o', out]);
  const share = `${((100 * bytes) / newBytes).toFixed(1)} %`;
  return [`${layers} layers`, megabytes(newBytes), share, ...[used, grown, unzstd, bspatch].map(megabytes)];
}

async function printCorrupted(old: string, now: string, count: number): Promise<void> {
  const delta = join(FOLDER, 'update.ewd');
  await writeDelta(old, now, delta);
  const { refused, harmless } = await tryCorrupted([old, now, delta], count);
  console.log(
    `${refused + harmless} corrupted deltas: ${refused} refused, ${harmless} made the new bundle, 0 accepted as another`,
  );
}

const LAYERS = [1, 4, 16];

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { corrupted: { type: 'string', default: '10000' } },
  });
  const [old, now] = positionals;
  if (!now && !existsSync(MODEL)) {
    console.error('bench-delta: there is no ../shared/models; name two bundles');
    return 2;
  }
  await mkdir(FOLDER, { recursive: true });
  const rows = old && now ? [await rowOf('', old, now)] : await trainedRows();
  const head = ['update', 'bytes', 'delta', 'chunks', 'zstd', 'bsdiff', 'zstd, values', 'bsdiff, values'];
  console.log(aligned([head, ...rows]));
  const pair: [string, string] = old && now ? [old, now] : [join(FOLDER, 'base.ewb'), join(FOLDER, '2-epochs.ewb')];
  await printCorrupted(...pair, Number(values.corrupted));
  if (process.platform !== 'linux') return 0;
  const memory: string[][] = [];
  for (const layers of LAYERS) memory.push(await memoryRow(layers));
  console.log(
    aligned([['memory to apply', 'bytes', 'delta', 'in use', 'process grows', 'zstd', 'bspatch'], ...memory]),
  );
  return 0;
}

process.exitCode = await main();
