/**
 * How the time of a layer grows with its work: layers of one kind from 1 to 100 million multiply-accumulates, in one thread and in two,
 * on every engine. A layer is the second of three equal ones, timed as profiles time it; the network of all three is timed as well, with floats in and out, and
 * outputs written to the tensors of the run before. Prints how far each layer is from the line through all sizes of its kind, and how much faster two threads are,
 * beside what the machine gave two threads of arithmetic alone in the same rounds (tools/speed/control.ts). Rounds in which that was less than 1.7 are repeated, twice as many at most.
 * What one thread takes is the mean of its times on two processors: those of a virtual machine are not always equally fast, and two threads use both.
 * Writes out/scaling.json and out/scaling.html.
 *
 * --engine LIST  engines to time (native,wasm)   --filter TEXT  kinds whose description has it   --rounds N  rounds that count (9)
 * --json         print the document instead of the tables
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readBundle } from '../sdk/bundle/index.ts';
import {
  buildCompressed,
  ENGINES,
  inspectPath,
  type NamedType,
  ROUND_TO_NEAREST,
  samplesOf,
  writeArrays,
} from '../sdk/index.ts';
import { writeAtomic } from '../sdk/util/files.ts';
import { tensor } from '../sdk/util/tensor.ts';
import { ROW_TILE_BITS } from '../sdk/wire/row-tiles.ts';
import { fitTime, timeBy } from './speed/fit.ts';
import { type Layer, layersOfSizes } from './speed/layers.ts';
import { type SampleModel, samplesFor } from './speed/models.ts';
import { sourceHashes } from './speed/prepare.ts';
import { scalingPage, scalingText } from './speed/present/scaling.ts';
import { bundled, Child } from './speed/process.ts';
import type { Turn } from './speed/protocol.ts';
import { spreadOf } from './speed/results.ts';
import { type Rounds, type Taker, takeRounds } from './speed/rounds.ts';
import { FREE, type LayerTime, type ScalingDocument, type ScalingSeries } from './speed/scaling.ts';

const root = resolve(import.meta.dirname, '..');
const FOLDER = join(root, 'out/speed/layers');
const TURN_MS = 40;
const SAMPLES = 4;
/** Rounds of a layer before it is the next one's turn. */
const ROUNDS_IN_PASS = 3;

interface Built {
  readonly family: string;
  readonly bundle: string;
  readonly inputs: string;
  /** Node of the layer in the middle. */
  readonly layer: string;
  readonly macs: number;
  readonly bytes: number;
}

/** Times depend on shapes and bit widths, not on how well weights are rounded: plain rounding is enough, with the widths that are shipped. */
async function built(layer: Layer, key: string): Promise<Built> {
  const stem = join(FOLDER, `${layer.id}-${key.slice(0, 16)}`);
  const paths = { bundle: `${stem}.ewb`, inputs: `${stem}-inputs.npz` };
  if (!existsSync(paths.bundle)) {
    const model: SampleModel = { id: layer.id, path: `${stem}.onnx`, inputs: 'noise', work: 'products' };
    await writeFile(model.path, layer.build());
    const { inputs } = (await inspectPath(model)) as { inputs: readonly NamedType[] };
    const arrays = await samplesFor(model, inputs, SAMPLES);
    const calibration = `${stem}-samples.npz`;
    await writeArrays(calibration, arrays);
    await writeArrays(paths.inputs, samplesOf(arrays, inputs).at(0));
    const stages = { ...ROUND_TO_NEAREST, oneRowBits: ROW_TILE_BITS, frontierPoints: 0 };
    await buildCompressed(model, {
      target: 'host',
      calibration,
      stages,
      minQuality: 0,
      cwd: FOLDER,
      force: true,
      out: paths.bundle,
    });
  }
  const { steps } = (await readBundle(paths.bundle)).manifest.program;
  const nodes = [...new Set(steps.filter((s) => s.macs > 0).map((s) => s.node))];
  if (nodes.length !== 3) throw new Error(`${layer.id} has ${nodes.length} layers and not three`);
  const middle = nodes[1]!;
  const own = steps.filter((s) => s.node === middle);
  const sum = (of: (s: (typeof steps)[number]) => number): number => own.reduce((a, s) => a + of(s), 0);
  return { family: layer.family, ...paths, layer: middle, macs: sum((s) => s.macs), bytes: sum((s) => s.bytes) };
}

/** One thread and two, each a process: of the network with the layer, and of the control. */
interface Pairs {
  readonly network: readonly Child[];
  readonly control: readonly Child[];
}

/** Rounds of the control that its time is found with. */
const SOME_ROUNDS = 20_000;

/** Opens the control on both, so long that it takes one thread about as many seconds. */
async function openControls(children: readonly Child[], engine: string, seconds: number): Promise<void> {
  const inputs = join(FOLDER, 'control.npz');
  const open = async (rounds: number): Promise<void> => {
    await writeArrays(inputs, { rounds: tensor('i32', [1], [rounds]) });
    for (const [i, child] of children.entries()) {
      const outputs = join(FOLDER, `control-${i}.npz`);
      await child.ask({ type: 'open', runtime: 'control', paths: [''], inputs, outputs, engine, threads: i + 1 });
    }
  };
  await open(SOME_ROUNDS);
  const one = await children[0]!.ask({ type: 'turn', ms: TURN_MS });
  await open(Math.max(1, Math.round((SOME_ROUNDS * seconds) / one.seconds)));
}

/** A turn, or on each of these processors half of one: what it takes on average then. */
async function turnOn(
  child: Child,
  { ms, layer }: { readonly ms: number; readonly layer: boolean },
  places: readonly number[],
): Promise<Turn> {
  if (places.length === 0) return child.ask({ type: 'turn', ms, layer });
  const turns: Turn[] = [];
  for (const processor of places)
    turns.push(await child.ask({ type: 'turn', ms: ms / places.length, layer, processor }));
  return {
    seconds: turns.reduce((sum, t) => sum + t.seconds, 0) / turns.length,
    calibration: Math.max(...turns.map((t) => t.calibration)),
    share: Math.min(...turns.map((t) => t.share)),
  };
}

/** Some rounds of a layer. */
async function timed(layer: Built, engine: string, pairs: Pairs, rounds: number): Promise<Rounds> {
  for (const [i, child] of pairs.network.entries()) {
    const outputs = join(FOLDER, `outputs-${i}.npz`);
    const { bundle, inputs } = layer;
    const message = { runtime: 'ours', paths: [bundle], inputs, outputs, engine, threads: i + 1 } as const;
    await child.ask({ type: 'open', ...message, layer: layer.layer });
  }
  const first = await pairs.network[0]!.ask({ type: 'turn', ms: TURN_MS, layer: true });
  await openControls(pairs.control, engine, first.seconds);
  const places = (await pairs.control[0]!.ask({ type: 'gauge' })).slice(0, 2).map((g) => g.processor);
  const both = (name: string, children: readonly Child[], layer = false): Taker[] =>
    children.map((child, i) => ({
      id: `${name} ${i + 1}`,
      turn: (ms) => turnOn(child, { ms, layer }, i ? [] : places),
    }));
  const takers = [
    ...both('layer', pairs.network, true),
    ...both('network', pairs.network),
    ...both('control', pairs.control),
  ];
  const noiseOf = (turns: readonly number[]): number => (FREE * turns.at(-1)!) / turns.at(-2)!;
  const taken = await takeRounds(takers, { rounds, turnMs: TURN_MS, noiseOf });
  await Promise.all([...pairs.network, ...pairs.control].map((child) => child.ask({ type: 'close' })));
  return taken;
}

function timeOf({ macs, bytes }: Built, passes: readonly Rounds[]): LayerTime {
  const of = (name: string): { seconds: number; twoThreads: number } => {
    const [one, two] = [1, 2].map((n) => passes.flatMap(({ seconds }) => seconds[`${name} ${n}`]!)) as [
      number[],
      number[],
    ];
    return { seconds: spreadOf(one).median, twoThreads: spreadOf(one.map((t, r) => t / two[r]!)).median };
  };
  const dropped = passes.reduce((sum, p) => sum + p.dropped, 0);
  return { macs, bytes, ...of('layer'), network: of('network'), control: of('control').twoThreads, dropped };
}

/** All layers of a kind, several times: what slows the machine down for minutes meets all of them. */
async function timesOf(layers: readonly Built[], engine: string, pairs: Pairs, rounds: number): Promise<LayerTime[]> {
  const passes = layers.map((): Rounds[] => []);
  for (let left = rounds; left > 0; left -= ROUNDS_IN_PASS)
    for (const [i, layer] of layers.entries())
      passes[i]!.push(await timed(layer, engine, pairs, Math.min(left, ROUNDS_IN_PASS)));
  return layers.map((layer, i) => timeOf(layer, passes[i]!));
}

/** The layers of one kind on one engine, with the line that fits them best. */
function seriesOf(engine: string, family: string, times: readonly LayerTime[]): ScalingSeries {
  const line = fitTime(times);
  return { engine, family, line, layers: times.map((t) => ({ ...t, deviation: t.seconds / timeBy(line, t) - 1 })) };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      engine: { type: 'string', default: 'native,wasm' },
      filter: { type: 'string', default: '' },
      rounds: { type: 'string', default: '9' },
      json: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds);
  const engines = values.engine.split(',').filter(Boolean);
  const unknown = engines.find((e) => !(ENGINES as readonly string[]).includes(e));
  if (!Number.isInteger(rounds) || rounds < 1 || unknown !== undefined) {
    console.error(unknown ? `bench-scaling: there is no engine '${unknown}'` : 'bench-scaling: --rounds takes a count');
    return 2;
  }
  if (availableParallelism() < 2) console.error('bench-scaling: one core only, two threads cannot be faster');
  await mkdir(FOLDER, { recursive: true });
  const { all } = await sourceHashes(root);
  const layers: Built[] = [];
  for (const layer of layersOfSizes().filter((l) => l.family.includes(values.filter))) {
    console.error(`builds ${layer.id}, ${layer.family}`);
    layers.push(await built(layer, all));
  }
  const script = await bundled(root, 'tools/speed/child.ts', join(root, 'out/speed/child.mjs'));
  const pair = (): Child[] => [1, 2].map(() => new Child(process.execPath, script));
  const pairs: Pairs = { network: pair(), control: pair() };
  const series: ScalingSeries[] = [];
  try {
    for (const engine of engines) {
      for (const family of new Set(layers.map((l) => l.family))) {
        console.error(`times ${engine}, ${family}`);
        const own = layers.filter((l) => l.family === family);
        series.push(seriesOf(engine, family, await timesOf(own, engine, pairs, rounds)));
      }
    }
  } finally {
    for (const child of [...pairs.network, ...pairs.control]) child.stop();
  }
  const machine = { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
  const document: ScalingDocument = { machine, rounds, series };
  await writeAtomic(join(root, 'out/scaling.json'), `${JSON.stringify(document, null, 2)}\n`);
  await writeAtomic(join(root, 'out/scaling.html'), scalingPage(document));
  console.log(values.json ? JSON.stringify(document, null, 2) : scalingText(document));
  return 0;
}

process.exitCode = await main();
