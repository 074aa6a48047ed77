import { join } from 'node:path';
import { type Bundle, goldenInputsOf, openBundle } from '../bundle/index.ts';
import { firmwareLibrary } from '../compile/firmware/library.ts';
import { codeBytes, STACK_BYTES } from '../compile/firmware/size.ts';
import type { FirmwareSource } from '../compile/firmware/source.ts';
import { doesNotFit, type FitReport, fitFirmware } from '../compile/fit.ts';
import { planFirmware } from '../compile/index.ts';
import { samplesOf } from '../data/samples.ts';
import { modelFile } from '../model/files.ts';
import { sniff } from '../model/sniff.ts';
import { buildBundle, type ModelRequest, openModel, openProfile, type Work } from '../pipeline.ts';
import { residentBlock } from '../runner.ts';
import { EigenError } from '../util/errors.ts';
import { readBytes, writeAtomic } from '../util/files.ts';
import { packageVersion } from '../util/package.ts';
import { graphOfBundle } from './bundle-graph.ts';

export interface FirmwareRequest {
  /** Board id or profile file; the bundle's own board when absent. */
  readonly target?: string;
  /** Prefix of files and functions. */
  readonly name: string;
  /** Folder to write; absent: make it, write nothing. */
  readonly out?: string;
  /** Write it even when it does not fit the board. */
  readonly force?: boolean;
}

export interface FirmwareReport {
  readonly model: string;
  readonly target: string;
  readonly precision: string;
  /** Sizes of the files by name. */
  readonly files: Readonly<Record<string, number>>;
  readonly weightBytes: number;
  readonly arenaBytes: number;
  readonly scratchBytes: number;
  readonly stackBytes: number;
  readonly codeBytes: number;
  readonly fit: FitReport;
}

/**
 * Bundle, or model file as it is in float, -> C library. Throws EW2003_DOES_NOT_FIT when the board is too small, before anything is
 * written, and EW1001_USAGE when the target is missing or runs no firmware.
 */
export async function writeFirmware(
  model: ModelRequest,
  request: FirmwareRequest,
  work: Work = {},
): Promise<FirmwareReport> {
  const file = await readBytes(modelFile(model.path));
  const given = sniff(file) === 'ewb' ? openBundle(file) : undefined;
  const target = request.target ?? given?.manifest.target.id;
  if (target === undefined)
    throw new EigenError('EW1001_USAGE', 'firmware: a model has no board of its own', {
      hint: 'Name one with --target, for example raspberry-pi-pico-2.',
    });
  const profile = openProfile(target);
  if (!profile.runtimes.includes('firmware'))
    throw new EigenError('EW1001_USAGE', `firmware: ${profile.id} runs ${profile.runtimes.join(', ')}, not firmware`, {
      hint: 'Choose a board with a microcontroller; eigenweights targets lists them.',
    });
  const bundle = given ?? openBundle((await buildBundle(await openModel(model), profile, undefined, work)).bytes);
  const graph = graphOfBundle(bundle);
  const planned = planFirmware(graph);
  const files = firmwareLibrary({
    graph,
    planned,
    weights: residentBlock(planned),
    golden: goldenOf(bundle),
    name: request.name,
    origin: `EigenWeights ${packageVersion()} from bundle ${bundle.digest.slice(0, 16)}`,
    board: { name: profile.name, flags: profile.toolchain?.flags ?? [] },
  });
  const fit = fitFirmware(planned, profile);
  if (!fit.fits && !request.force) throw doesNotFit(fit);
  work.signal?.throwIfAborted();
  if (request.out !== undefined) await writeFolder(request.out, files);
  const { weightBytes, arenaBytes, scratchBytes } = planned.program;
  return {
    model: graph.name,
    target: profile.id,
    precision: bundle.manifest.precision,
    files: Object.fromEntries([...files].map(([name, text]) => [name, Buffer.byteLength(text)])),
    weightBytes,
    arenaBytes,
    scratchBytes,
    stackBytes: STACK_BYTES,
    codeBytes: codeBytes(planned),
    fit,
  };
}

/** The first golden case. */
function goldenOf(bundle: Bundle): FirmwareSource['golden'] {
  const { golden, program } = bundle.manifest;
  const inputs = goldenInputsOf(bundle);
  if (!golden || !inputs)
    throw new EigenError('EW6001_BUNDLE_UNREADABLE', 'the bundle has no golden inputs to test itself with', {
      hint: 'Build it again with this version.',
    });
  const samples = samplesOf(inputs, program.inputs, { source: golden.inputs });
  return { inputs: samples.at(0), outputs: golden.outputs.map((o) => ({ name: o.name, sha256: o.sha256[0]! })) };
}

/** Files of other names in the folder stay. */
async function writeFolder(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [name, text] of files) await writeAtomic(join(folder, name), text);
}
