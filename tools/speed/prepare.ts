import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { graphOfBundle } from '../../sdk/app/bundle-graph.ts';
import { readBundle } from '../../sdk/bundle/index.ts';
import { buildCompressed, inspectPath, type NamedType, readArrays, samplesOf, writeArrays } from '../../sdk/index.ts';
import { buildBundle, openModel, openProfile } from '../../sdk/pipeline.ts';
import { writeAtomic } from '../../sdk/util/files.ts';
import { sha256 } from '../../sdk/util/hash.ts';
import { filesIn, hashOf, sourcesOf, UNDECIDING } from '../lib/sources.ts';
import { MODELS } from '../quality/task.ts';
import { TASKS } from '../quality/tasks.ts';
import { type SampleModel, samplesFor, setInputs } from './models.ts';
import { PLANS, type Plan, quantizedModel } from './qdq.ts';

const TARGET = 'host';
/** Calibration samples at most, and made-up ones where a model comes without data. */
const SAMPLES = 256;
const MADE_UP = 32;

/** Programs whose sources decide which networks are timed, and everything that decides their times. */
const COMPRESSING = ['sdk/app/build.ts'];
const TIMING = [...COMPRESSING, 'tools/speed/prepare.ts', 'tools/speed/child.ts', 'tools/speed/avx2/host.ts'];

/** Hashes of the sources that decide which networks are timed, and of everything that decides their times. */
export interface SourceHashes {
  readonly compressing: string;
  readonly all: string;
}

export async function sourceHashes(root: string): Promise<SourceHashes> {
  const profiles = (await filesIn(join(root, 'profiles'))).map((f) => relative(root, f));
  const hash = (files: readonly string[]): Promise<string> =>
    hashOf(
      root,
      [...files, ...profiles].map((f) => join(root, f)),
    );
  const compressing = (await sourcesOf(root, COMPRESSING)).filter((f) => !UNDECIDING.some((u) => f.startsWith(u)));
  return { compressing: await hash(compressing), all: await hash(await sourcesOf(root, TIMING)) };
}

/** A model ready to be timed: the files that the contestants open. */
export interface Prepared {
  readonly model: SampleModel;
  /** Compressed with the command's defaults; kernels of the present sources. */
  readonly bundle: string;
  /** The original quantized to 8 bits by another runtime's rules, in every form that has a chance to be the fastest. */
  readonly int8: readonly string[];
  /** One run's inputs of the bundle, .npz, and of the original, which may have more. */
  readonly inputs: string;
  readonly originalInputs: string;
  readonly macs: number;
}

/** Builds what `folder` does not hold yet. Compressing takes from seconds to a minute and a half a model, everything else seconds. */
export async function prepare(
  model: SampleModel,
  folder: string,
  hashes: SourceHashes,
  tell: (text: string) => void,
): Promise<Prepared> {
  await mkdir(folder, { recursive: true });
  const inputs = await inputsOf(model);
  const calibration = await calibrationFor(model, inputs, folder);
  const data = await readFile(calibration);
  const source = sha256(await readFile(model.path), data, JSON.stringify([model.dims ?? {}, model.set ?? {}]));

  const sample = samplesOf(await readArrays(calibration), inputs).at(0);
  const paths = { inputs: join(folder, 'inputs.npz'), originalInputs: join(folder, 'original-inputs.npz') };
  await writeArrays(paths.inputs, sample);
  await writeArrays(paths.originalInputs, { ...sample, ...setInputs(model) });

  const compressed = await kept(folder, 'compressed', '.ewb', sha256(source, hashes.compressing), async (out) => {
    tell('compresses it');
    await buildCompressed(model, {
      target: TARGET,
      calibration,
      cwd: folder,
      out,
      force: true,
      // What sizes in between would have kept is asked by nobody here.
      stages: { frontierPoints: 0 },
    });
  });
  const bundle = await kept(folder, 'bundle', '.ewb', sha256(source, hashes.compressing, hashes.all), (out) =>
    compiledAgain(model, compressed, out),
  );
  const int8: string[] = [];
  for (const plan of Object.keys(PLANS) as Plan[]) {
    const key = sha256(source, hashes.all);
    int8.push(
      await kept(folder, `int8-${plan}`, '.onnx', key, async (out) =>
        writeAtomic(out, await quantizedModel(model, calibration, plan)),
      ),
    );
  }
  const { program } = (await readBundle(bundle)).manifest;
  return { model, bundle, int8, ...paths, macs: program.steps.reduce((sum, s) => sum + s.macs, 0) };
}

async function inputsOf(model: SampleModel): Promise<readonly NamedType[]> {
  const inspected = await inspectPath(model);
  if (inspected.kind !== 'model') throw new Error(`${model.path} is no model`);
  return inspected.inputs;
}

/** The file `<name>-<key>`; made, and others of that name removed, where it is not there. */
async function kept(
  folder: string,
  name: string,
  extension: string,
  key: string,
  make: (out: string) => Promise<unknown>,
): Promise<string> {
  const path = join(folder, `${name}-${key.slice(0, 16)}${extension}`);
  if (existsSync(path)) return path;
  for (const old of await readdir(folder)) if (old.startsWith(`${name}-`)) await rm(join(folder, old));
  await make(path);
  return path;
}

/** The calibration data of the task whose network this is, or that beside the model, or made-up samples. */
async function calibrationFor(model: SampleModel, inputs: readonly NamedType[], folder: string): Promise<string> {
  const path = join(folder, 'samples.npz');
  const task = model.calibration ? undefined : TASKS.find((t) => join(MODELS, t.model) === model.path);
  if (task) await copyFile(await task.calibration(MODELS, folder), path);
  else await writeArrays(path, await samplesFor(model, inputs, model.calibration ? SAMPLES : MADE_UP));
  return path;
}

/** The same network with the kernels of the present sources: fitting it again would give the same one. */
async function compiledAgain(model: SampleModel, compressed: string, out: string): Promise<void> {
  const graph = graphOfBundle(await readBundle(compressed));
  const opened = { ...(await openModel(model)), graph };
  const { bytes } = await buildBundle(opened, openProfile(TARGET), undefined);
  await writeAtomic(out, bytes);
}
