import { EigenError } from '../../util/errors.ts';
import { sha256 } from '../../util/hash.ts';
import { sizeOf } from '../../util/tensor.ts';
import { damaged } from '../../wire/bits.ts';
import { type ContainerLayout, containerLayout, longestHead } from '../../wire/container.ts';
import { decodeChanges, decodeDifferences } from '../../wire/differences.ts';
import type { WeightSlot } from '../../wire/program.ts';
import { matrixOf } from '../../wire/weights.ts';
import {
  type BundleDirectory,
  type ByteSource,
  type ByteTarget,
  copyRange,
  filesOf,
  MAX_MANIFEST,
  type Range,
  readDirectory,
  sha256OfRange,
  writeFrame,
} from '../archive.ts';
import { deflate, inflate } from '../deflate.ts';
import { type Manifest, type Part, parseManifest } from '../manifest.ts';
import { MANIFEST, WEIGHTS } from '../names.ts';
import { type TarEntry, tarLayout } from '../tar.ts';
import { CONSTANT_OPS, DIGEST_BYTES, inDelta, invalidDelta, MAGIC, PART_OPS } from './format.ts';
import { decodePatch } from './patch.ts';
import { DeltaReader } from './reader.ts';
import { bytesFor, type ConstantBytes, type Form, formOf, valuesOf } from './values.ts';

export interface DeltaRequest {
  readonly delta: ByteSource;
  /** The old bundle, whole. */
  readonly old: ByteSource;
  readonly target: ByteTarget;
  /** Digest that the new bundle must have, known from elsewhere. */
  readonly digest?: string;
}

export interface DeltaResult {
  readonly digest: string;
  /** Bytes of the new bundle. */
  readonly bytes: number;
}

/**
 * Makes the new bundle from the old one and a delta. Holds the manifests, one constant and one part that is no weights, not the
 * bundles. What comes out is the new bundle to the byte: its manifest has the digest, every part the hash in the manifest.
 * @throws EigenError EW6008_DELTA_INVALID, EW6009_DELTA_BASE; what was written then is of no use. Errors of sources and target pass.
 */
export async function applyDelta({ delta, old: source, target, digest }: DeltaRequest): Promise<DeltaResult> {
  const reader = new DeltaReader(delta);
  const head = await readHead(reader);
  if (digest !== undefined && head.target !== digest) throw invalidDelta(`it makes ${head.target}, not ${digest}`);
  const old = await inDelta('old bundle', () => readDirectory(source));
  if (old.digest !== head.base) throw wrongBase(head.base, old.digest);
  const size = await inDelta('manifest', () => reader.varint());
  if (size > MAX_MANIFEST) throw invalidDelta(`a manifest of ${size} bytes`);
  const patch = await inDelta('manifest', () => reader.block());
  const manifestBytes = await inDelta('manifest', () => decodePatch(patch, old.manifestBytes, size));
  if (sha256(manifestBytes) !== head.target) throw invalidDelta('its manifest does not have the digest');
  const manifest = await inDelta('manifest', () => parseManifest(manifestBytes));
  const files = filesOf(manifest, manifestBytes.length);
  const layout = tarLayout(files);
  const places = new Map(layout.entries.map((e) => [e.name, e]));
  await writeFrame(target, files, head.target);
  await target.write(places.get(MANIFEST)!.from, manifestBytes);
  const build: Build = { reader, source, old, target, manifest };
  for (const part of manifest.parts)
    await inDelta(`part '${part.name}'`, () => buildPart(build, part, places.get(part.name)!));
  await reader.finish();
  return { digest: head.target, bytes: layout.bytes };
}

function wrongBase(base: string, found: string): EigenError {
  return new EigenError('EW6009_DELTA_BASE', `the delta is for bundle ${base}, the old one is ${found}`, {
    hint: 'Take the bundle that the delta was made from, or fetch the whole new one.',
    details: { base, found },
  });
}

async function readHead(reader: DeltaReader): Promise<{ base: string; target: string }> {
  const magic = await reader.bytes(MAGIC.length);
  if (magic.some((b, i) => b !== MAGIC[i])) throw invalidDelta('it does not start with EWD1');
  const hex = async (): Promise<string> => Buffer.from(await reader.bytes(DIGEST_BYTES)).toString('hex');
  return { base: await hex(), target: await hex() };
}

interface Build {
  readonly reader: DeltaReader;
  readonly source: ByteSource;
  readonly old: BundleDirectory;
  readonly target: ByteTarget;
  readonly manifest: Manifest;
}

async function buildPart(build: Build, part: Part, place: TarEntry): Promise<void> {
  const { reader, old, source, target } = build;
  const op = PART_OPS[await reader.byte()];
  switch (op) {
    case undefined:
      throw invalidDelta('an operation is unknown');
    case 'same': {
      const same = old.manifest.parts[await reader.varint()];
      if (same?.sha256 !== part.sha256 || same.bytes !== part.bytes) throw invalidDelta('no old part is the same');
      await copyRange(source, old.files.get(same.name)!.from, target, { from: place.from, bytes: part.bytes });
      break;
    }
    case 'patch':
      await target.write(place.from, await patched(build, part));
      break;
    case 'whole':
      await target.write(place.from, await reader.bytes(part.bytes));
      break;
    case 'weights':
      if (part.name !== WEIGHTS) throw invalidDelta('weights in a part that holds none');
      await buildWeights(build, part, place);
  }
  // What counts is what can be read again.
  if ((await sha256OfRange(target, place)) !== part.sha256)
    throw invalidDelta('it does not have the hash in the manifest');
}

async function patched({ reader, old, source }: Build, part: Part): Promise<Uint8Array> {
  const before = old.manifest.parts.find((p) => p.name === part.name);
  if (!before) throw invalidDelta('there is no old part of this name');
  const patch = await reader.block();
  const bytes = await source.read(old.files.get(part.name)!.from, before.bytes);
  if (part.inflatedBytes === undefined || before.inflatedBytes === undefined)
    return exactly(part, decodePatch(patch, bytes, part.bytes));
  const content = inflate(bytes, before.inflatedBytes, part.name);
  return exactly(part, deflate(decodePatch(patch, content, part.inflatedBytes)));
}

/** More or fewer bytes would be written over those of other parts, or leave some as they were. */
function exactly(part: Part, bytes: Uint8Array): Uint8Array {
  if (bytes.length !== part.bytes) throw invalidDelta(`it has ${bytes.length} bytes, not ${part.bytes}`);
  return bytes;
}

/** Constants of the old bundle, read one at a time. */
interface OldConstants {
  readonly slots: readonly WeightSlot[];
  readonly layout: ContainerLayout;
  read(place: Range): Promise<Uint8Array>;
  /** Copies a piece of the stream into the new bundle. */
  copy(place: Range, to: Range): Promise<void>;
}

async function oldConstants({ source, old, target }: Build): Promise<OldConstants> {
  const slots = old.manifest.program.weights;
  const { from, bytes } = old.files.get(WEIGHTS) ?? { from: 0, bytes: 0 };
  const start = await source.read(from, Math.min(bytes, longestHead(slots.length)));
  const layout = containerLayout(start);
  if (layout.bytes !== bytes || layout.constants.length !== slots.length)
    throw damaged('the old weights are not as their manifest says');
  return {
    slots,
    layout,
    read: (place) => source.read(from + place.from, place.bytes),
    copy: (place, to) => copyRange(source, from + place.from, target, to),
  };
}

async function buildWeights(build: Build, part: Part, place: TarEntry): Promise<void> {
  const { reader, target, manifest } = build;
  const slots = manifest.program.weights;
  const head = await reader.block();
  const layout = containerLayout(head);
  if (layout.head !== head.length || layout.bytes !== part.bytes || layout.constants.length !== slots.length)
    throw invalidDelta('the lists of its weights are not valid');
  await target.write(place.from, head);
  const old = await oldConstants(build);
  for (const [i, slot] of slots.entries()) {
    const constant = layout.constants[i]!;
    const op = CONSTANT_OPS[await reader.byte()];
    const pieces = [constant, ...constant.refinements];
    const at = (piece: Range): Range => ({ from: place.from + piece.from, bytes: piece.bytes });
    if (op === 'whole') for (const p of pieces) await target.write(at(p).from, await reader.bytes(p.bytes));
    else if (op === 'copy') {
      const same = old.layout.constants[await reader.varint()];
      const from = same ? [same, ...same.refinements] : [];
      if (from.length !== pieces.length || from.some((p, k) => p.bytes !== pieces[k]!.bytes))
        throw invalidDelta('there is no such old constant');
      for (const [k, p] of pieces.entries()) await old.copy(from[k]!, at(p));
    } else if (op === 'changes' || op === 'differences') {
      const { base, planes } = await derived({ reader, old, op }, constant.kind, slot);
      const coded = [base, ...planes];
      if (coded.length !== pieces.length || coded.some((b, k) => b.length !== pieces[k]!.bytes))
        throw invalidDelta(`constant '${slot.name}' has a wrong size`);
      for (const [k, p] of pieces.entries()) await target.write(at(p).from, coded[k]!);
    } else throw invalidDelta('an operation is unknown');
  }
}

async function derived(
  { reader, old, op }: { reader: DeltaReader; old: OldConstants; op: 'changes' | 'differences' },
  kind: number,
  slot: WeightSlot,
): Promise<ReturnType<typeof bytesFor>> {
  const index = await reader.varint();
  const form = formOf(kind, slot);
  const before = old.slots[index];
  const place = old.layout.constants[index];
  if (!form || !before || !place || !fits(form, place.kind, before, slot))
    throw invalidDelta(`constant '${slot.name}' has no old values of its kind`);
  const coding = form === 'codes' ? await reader.block() : new Uint8Array(0);
  const coded = await reader.block();
  const refinements: Uint8Array[] = [];
  for (const r of place.refinements) refinements.push(await old.read(r));
  const bytes: ConstantBytes = { kind: place.kind, payload: await old.read(place), refinements };
  const values = valuesOf(form, bytes, before);
  const [, cols] = matrixOf(slot.shape);
  const now = op === 'changes' ? decodeChanges(coded, values) : decodeDifferences(coded, values, cols);
  return bytesFor(now, coding);
}

function fits(form: Form, kind: number, before: WeightSlot, slot: WeightSlot): boolean {
  return formOf(kind, before) === form && sizeOf(before.shape) === sizeOf(slot.shape);
}
