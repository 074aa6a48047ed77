import { EigenError } from '../util/errors.ts';
import { type FileSystem, nodeFileSystem, readBytes } from '../util/files.ts';
import { sha256 } from '../util/hash.ts';
import { readNpz } from '../util/npz.ts';
import type { Tensor } from '../util/tensor.ts';
import type { KernelId, KernelModule, Platform } from '../wire/kernels.ts';
import { decodeTensors, decodeWeights, type Extent } from '../wire/weights.ts';
import { inflate } from './deflate.ts';
import { type Json, type Manifest, type Part, parseManifest, type Segment } from './manifest.ts';
import {
  digestText,
  GRAPH,
  KERNEL_SOURCE,
  kernelIdOf,
  kernelPart,
  MANIFEST,
  MANIFEST_DIGEST,
  REPORT,
  WEIGHTS,
} from './names.ts';
import { offsetAfter, reachesEnd, readTar, readTarPrefix, type TarFile, tampered, unreadable } from './tar.ts';

/** An opened bundle, every hash verified. The parts are views of the archive's bytes. */
export interface Bundle {
  readonly manifest: Manifest;
  /** SHA-256 of manifest.json, which lists the hash of every part: the identity of the bundle. */
  readonly digest: string;
  /** Size of the archive. */
  readonly bytes: number;
  readonly manifestBytes: Uint8Array;
  /** The weights may be a prefix of theirs: see `received`. */
  readonly parts: ReadonlyMap<string, Uint8Array>;
  /** Present when only a part of the weights is there: the model is one of lower quality, and has no golden outputs. */
  readonly received?: Received;
}

/** How much of the weights a bundle that was cut off holds, in whole segments. */
export interface Received {
  readonly segments: number;
  readonly segmentsInAll: number;
  readonly weightBytes: number;
  readonly weightBytesInAll: number;
}

export interface OpenOptions {
  readonly digest?: string;
  /** The end may be missing, as far as everything but refinements of the weights is there; what is there is verified. */
  readonly partial?: boolean;
}

/**
 * Opens and verifies a bundle. A `digest` known from elsewhere makes it proof against deliberate changes too.
 * @throws EigenError EW6001_BUNDLE_UNREADABLE, EW6002_BUNDLE_TAMPERED naming the part, EW6003_BUNDLE_VERSION; with `partial`
 * EW6005_BUNDLE_INCOMPLETE with the number of bytes that are needed.
 */
export function openBundle(bytes: Uint8Array, { partial = false, ...expected }: OpenOptions = {}): Bundle {
  return (partial && openPrefix(bytes, expected)) || openFiles(readTar(bytes), bytes.length, expected);
}

function openFiles(archive: readonly TarFile[], bytes: number, expected: { digest?: string }): Bundle {
  const [first, second, ...files] = archive;
  const head = openHead(first!, second, expected);
  verifyParts(head.manifest, files);
  if (!files.some((f) => f.name === WEIGHTS)) throw unreadable(`part '${WEIGHTS}' is missing`);
  return { ...head, bytes, parts: new Map(files.map((f) => [f.name, f.bytes])) };
}

type Head = Pick<Bundle, 'manifest' | 'digest' | 'manifestBytes'>;

function openHead(first: TarFile, second: TarFile | undefined, expected: { digest?: string }): Head {
  if (first.name !== MANIFEST) throw unreadable(`its first part is '${first.name}', not ${MANIFEST}`);
  const digest = sha256(first.bytes);
  if (second?.name !== MANIFEST_DIGEST) throw unreadable(`part ${MANIFEST_DIGEST} is missing`);
  if (new TextDecoder().decode(second.bytes) !== digestText(digest))
    throw tampered(`part '${MANIFEST}' does not match ${MANIFEST_DIGEST}`);
  if (expected.digest !== undefined && expected.digest !== digest)
    throw tampered(`its digest is ${digest}, expected ${expected.digest}`);
  return { manifest: parseManifest(first.bytes), digest, manifestBytes: first.bytes };
}

/** A bundle that is cut off inside its weights or behind them; undefined when it is not cut off. */
function openPrefix(bytes: Uint8Array, expected: { digest?: string }): Bundle | undefined {
  const { files: archive, cut, end } = readTarPrefix(bytes);
  const [first, second, ...files] = archive;
  if (!first || !second) {
    // Nothing is known yet but where the part ends that says more.
    const needed = cut ? end : offsetAfter(archive.map((f) => f.bytes.length));
    if (needed <= bytes.length) throw unreadable('it is not a tar archive');
    throw incomplete(bytes.length, needed);
  }
  const head = openHead(first, second, expected);
  const { parts } = head.manifest;
  const weights = parts.at(-1);
  if (weights?.name !== WEIGHTS) throw unreadable(`part '${WEIGHTS}' is not the last one`);
  if (files.length >= parts.length)
    return reachesEnd(bytes, end) ? undefined : openFiles(archive, bytes.length, expected);
  const segments = weights.segments ?? [weights];
  const before = [first.bytes.length, second.bytes.length, ...parts.slice(0, -1).map((p) => p.bytes)];
  const needed = offsetAfter(before) + segments[0]!.bytes;
  if (bytes.length < needed) throw incomplete(bytes.length, needed);
  if (cut?.name !== WEIGHTS || cut.size !== weights.bytes) throw tampered(`part '${WEIGHTS}' is not as it is listed`);
  const there = verifySegments(segments, cut.bytes);
  verifyParts({ ...head.manifest, parts: parts.slice(0, -1) }, files);
  const received: Received = {
    segments: there.count,
    segmentsInAll: segments.length,
    weightBytes: there.bytes.length,
    weightBytesInAll: weights.bytes,
  };
  const content = [...files, { name: WEIGHTS, bytes: there.bytes }];
  return { ...head, bytes: bytes.length, parts: new Map(content.map((f) => [f.name, f.bytes])), received };
}

/** The whole segments at the start of the weights. */
function verifySegments(segments: readonly Segment[], bytes: Uint8Array): { count: number; bytes: Uint8Array } {
  let at = 0;
  let count = 0;
  for (const segment of segments) {
    if (at + segment.bytes > bytes.length) break;
    if (sha256(bytes.subarray(at, at + segment.bytes)) !== segment.sha256)
      throw tampered(`segment ${count} of part '${WEIGHTS}' does not have the listed hash`);
    at += segment.bytes;
    count++;
  }
  return { count, bytes: bytes.subarray(0, at) };
}

function incomplete(bytes: number, needed: number): EigenError {
  return new EigenError('EW6005_BUNDLE_INCOMPLETE', `${bytes} bytes of the bundle are too few to run it`, {
    hint: `At least its first ${needed} bytes are needed.`,
    details: { bytes, needed },
  });
}

/** Reads and opens a bundle file. */
export async function readBundle(path: string, fs: FileSystem = nodeFileSystem): Promise<Bundle> {
  return openBundle(await readBytes(path, fs));
}

function verifyParts(manifest: Manifest, files: readonly TarFile[]): void {
  manifest.parts.forEach((part, i) => {
    const file = files[i];
    if (!file || file.name !== part.name) throw tampered(`part '${part.name}' is missing or out of order`);
    if (file.bytes.length !== part.bytes)
      throw tampered(`part '${part.name}' has ${file.bytes.length} bytes, not ${part.bytes}`);
    if (sha256(file.bytes) !== part.sha256) throw tampered(`part '${part.name}' does not have the listed hash`);
  });
  if (files.length > manifest.parts.length)
    throw tampered(`part '${files[manifest.parts.length].name}' is not in the manifest`);
  const names = new Set(manifest.parts.map((p) => p.name));
  if (manifest.golden && !names.has(manifest.golden.inputs))
    throw unreadable(`part '${manifest.golden.inputs}' is missing`);
}

function entryOf(bundle: Bundle, name: string): Part | undefined {
  return bundle.manifest.parts.find((p) => p.name === name);
}

/** A part's content, inflated; undefined when the bundle has none of that name. */
function contentOf(bundle: Bundle, name: string): Uint8Array | undefined {
  const part = entryOf(bundle, name);
  const bytes = bundle.parts.get(name);
  if (!part || !bytes) return undefined;
  return part.inflatedBytes === undefined ? bytes : inflate(bytes, part.inflatedBytes, name);
}

function extentOf({ received }: Bundle): Extent {
  return received ? 'prefix' : 'whole';
}

/** Decodes the weights into their resident form, into `block` or new memory of program.weightBytes. */
export function installWeights(
  bundle: Bundle,
  block: Uint8Array = new Uint8Array(bundle.manifest.program.weightBytes),
): Uint8Array {
  return decodeWeights(bundle.parts.get(WEIGHTS)!, bundle.manifest.program.weights, block, extentOf(bundle));
}

/** The weights as tensors, by the names of the program. */
export function weightTensorsOf(bundle: Bundle): Map<string, Tensor> {
  const { weights } = bundle.manifest.program;
  const tensors = decodeTensors(bundle.parts.get(WEIGHTS)!, weights, extentOf(bundle));
  return new Map(weights.map((slot, i) => [slot.name, tensors[i]!]));
}

/** What kernels the bundle has, in the order of their names. */
export function kernelIds(bundle: Pick<Bundle, 'manifest'>): KernelId[] {
  return bundle.manifest.parts.map((p) => kernelIdOf(p.name)).filter((id) => id !== undefined);
}

/** The kernels for a platform. */
export function kernelsFor(bundle: Bundle, platform: Platform): KernelModule[] {
  return kernelIds(bundle)
    .filter((id) => id.platform === platform)
    .map((id) => ({ ...id, bytes: contentOf(bundle, kernelPart(id))! }));
}

export function kernelSourceOf(bundle: Bundle): string | undefined {
  const bytes = contentOf(bundle, KERNEL_SOURCE);
  return bytes && new TextDecoder().decode(bytes);
}

export function reportOf(bundle: Bundle): Json | undefined {
  return jsonOf(bundle, REPORT);
}

/** What the program was compiled from, in the form that packBundle was given; undefined when the bundle has none. */
export function graphOf(bundle: Bundle): Json | undefined {
  return jsonOf(bundle, GRAPH);
}

function jsonOf(bundle: Bundle, name: string): Json | undefined {
  const bytes = contentOf(bundle, name);
  return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as Json);
}

/** Golden inputs by name, samples first; undefined when the bundle has none. */
export function goldenInputsOf(bundle: Bundle): Record<string, Tensor> | undefined {
  const name = bundle.manifest.golden?.inputs;
  return name === undefined ? undefined : readNpz(bundle.parts.get(name)!, name);
}
