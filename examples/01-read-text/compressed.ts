import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import {
  buildCompressed,
  type CompressedBuild,
  fitPath,
  inspectPath,
  openSession,
  type Progress,
  type Tensor,
  writeArrays,
} from 'eigenweights';
import type { ModelFiles } from './original.ts';
import { INPUT_SHAPE } from './preprocess.ts';
import type { Recogniser } from './recogniser.ts';
import type { Breakdown, Sizes } from './result.ts';
import type { CompressedModel } from './run.ts';

const INPUT = 'x';
/** The width that the export left open. */
const DIMS = { 'p2o.DynamicDimension.1': INPUT_SHAPE[3] };

export interface CompressSetting {
  readonly board: string;
  /** Folder for the calibration data and the bundle. */
  readonly out: string;
  readonly progress: Progress;
  /** Says what will be done and how long it will take. */
  readonly note: (line: string) => void;
}

/** Compresses the recogniser to an eighth for a board and opens the bundle in one thread. */
export async function compressRecogniser(
  files: ModelFiles,
  calibration: readonly Float32Array[],
  setting: CompressSetting,
): Promise<CompressedModel> {
  await mkdir(setting.out, { recursive: true });
  const [calibrationPath, bundlePath] = [join(setting.out, 'calibration.npz'), join(setting.out, 'read-text.ewb')];
  await writeArrays(calibrationPath, { [INPUT]: stack(calibration) });
  const built = await buildCompressed(
    { path: files.onnxPath, dims: DIMS },
    {
      target: setting.board,
      calibration: calibrationPath,
      budget: { factor: 8 },
      minQuality: 0.985,
      cwd: setting.out,
      // The demo judges by what is read; its own exit code says whether that was good enough.
      force: true,
      out: bundlePath,
      onEstimate: ({ estimate: e }) =>
        setting.note(`compressing ${e.layers} layers, about ${Math.round(e.seconds)} s (estimated)`),
    },
    { progress: setting.progress, threads: availableParallelism() },
  );
  const session = await openSession(bundlePath, { threads: 1 });
  return {
    board: setting.board,
    recogniser: recogniserOf(session),
    sizes: await sizesOf(bundlePath, built, files, setting.board),
    summary: built.report!,
  };
}

type Session = Awaited<ReturnType<typeof openSession>>;

function stack(lines: readonly Float32Array[]): Tensor {
  const size = lines[0]!.length;
  const data = new Float32Array(lines.length * size);
  for (const [i, line] of lines.entries()) data.set(line, i * size);
  return { dtype: 'f32', shape: [lines.length, ...INPUT_SHAPE.slice(1)], data };
}

function recogniserOf(session: Session): Recogniser {
  const output = session.outputs[0]!.name;
  return {
    name: `eigenweights, ${session.engine}`,
    async scores(pixels) {
      const outputs = await session.run({ [INPUT]: { dtype: 'f32', shape: INPUT_SHAPE, data: pixels } });
      return outputs[output]!.data as Float32Array;
    },
    async close() {
      session.close();
    },
  };
}

async function sizesOf(bundlePath: string, built: CompressedBuild, files: ModelFiles, board: string): Promise<Sizes> {
  const inspection = await inspectPath({ path: bundlePath });
  if (inspection.kind !== 'bundle') throw new TypeError(`${bundlePath} is a ${inspection.kind}`);
  const d = inspection.size;
  const float = await fitPath({ path: files.onnxPath, dims: DIMS }, board);
  const parts = Object.entries(d.weights).map(([name, bytes]) => ({ name: PART_NAMES[name] ?? name, bytes }));
  return {
    originalWeights: built.report!.totals.originalBytes,
    originalActivations: float.ram.find((p) => p.part === 'arena')!.bytes.value,
    payload: breakdown(parts),
    residentWeights: d.residentWeightBytes,
    arena: d.arenaBytes + d.scratchBytes,
    bundle: breakdown([...d.parts, { name: 'archive headers', bytes: d.containerBytes }]),
  };
}

const PART_NAMES: Readonly<Record<string, string>> = { codes: 'codes with their tables', other: 'other constants' };

function breakdown(parts: Breakdown['parts']): Breakdown {
  const used = parts.filter((p) => p.bytes > 0).map(({ name, bytes }) => ({ name, bytes }));
  return { bytes: used.reduce((sum, p) => sum + p.bytes, 0), parts: used };
}
