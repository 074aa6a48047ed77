import { crc32 } from '../../util/crc32.ts';
import { sizeOf } from '../../util/tensor.ts';
import { ByteWriter } from '../../wire/bits.ts';
import { type ContainerLayout, containerLayout } from '../../wire/container.ts';
import { encodeChanges, encodeDifferences } from '../../wire/differences.ts';
import type { WeightSlot } from '../../wire/program.ts';
import { matrixOf } from '../../wire/weights.ts';
import { deflate, inflate } from '../deflate.ts';
import type { Part } from '../manifest.ts';
import { WEIGHTS } from '../names.ts';
import type { Bundle } from '../open.ts';
import { CONSTANT_OPS, type ConstantOp, MAGIC, PART_OPS, type PartOp } from './format.ts';
import { encodePatch } from './patch.ts';
import { bytesFor, type ConstantBytes, codingFor, formOf, valuesOf } from './values.ts';

/** What of a new bundle a delta holds, and how. */
export interface DeltaReport {
  readonly bytes: number;
  readonly base: string;
  readonly digest: string;
  /** Bytes of the new bundle. */
  readonly newBytes: number;
  readonly manifestBytes: number;
  readonly parts: readonly {
    readonly name: string;
    readonly op: PartOp;
    readonly bytes: number;
    readonly of: number;
  }[];
  readonly constants: readonly {
    readonly name: string;
    readonly op: ConstantOp;
    readonly bytes: number;
    /** What the constant takes in the new bundle. */
    readonly of: number;
  }[];
}

/** Makes the delta that leads from one whole bundle to another; the same bundles give the same bytes. */
export function makeDelta(old: Bundle, now: Bundle): { readonly bytes: Uint8Array; readonly report: DeltaReport } {
  if (old.received || now.received) throw new RangeError('makeDelta: both bundles have to be whole');
  const writer = new ByteWriter();
  writer.bytes(MAGIC);
  for (const { digest } of [old, now]) writer.bytes(new Uint8Array(Buffer.from(digest, 'hex')));
  writer.varint(now.manifestBytes.length);
  const manifest = encodePatch(old.manifestBytes, now.manifestBytes);
  writeBlock(writer, manifest);
  const weights = encodeConstants(old, now);
  const parts = now.manifest.parts.map((part) => {
    const { op, bytes } = part.name === WEIGHTS ? weightsPart(part, old, weights.bytes) : plainPart(part, old, now);
    writer.byte(PART_OPS.indexOf(op));
    writer.bytes(bytes);
    return { name: part.name, op, bytes: 1 + bytes.length, of: part.bytes };
  });
  const body = writer.finish();
  const end = new ByteWriter();
  end.bytes(body);
  end.u32(crc32(body));
  const bytes = end.finish();
  const { digest: base } = old;
  const { digest, bytes: newBytes } = now;
  const constants = parts.some((p) => p.op === 'weights') ? weights.constants : [];
  const report = { bytes: bytes.length, base, digest, newBytes, manifestBytes: manifest.length, parts, constants };
  return { bytes, report };
}

function writeBlock(writer: ByteWriter, bytes: Uint8Array): void {
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

function built(fill: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  fill(writer);
  return writer.finish();
}

interface PartBytes {
  readonly op: PartOp;
  readonly bytes: Uint8Array;
}

function samePart(part: Part, old: Bundle): PartBytes | undefined {
  const index = old.manifest.parts.findIndex((p) => p.sha256 === part.sha256 && p.bytes === part.bytes);
  return index < 0 ? undefined : { op: 'same', bytes: built((w) => w.varint(index)) };
}

function weightsPart(part: Part, old: Bundle, bytes: Uint8Array): PartBytes {
  return samePart(part, old) ?? { op: 'weights', bytes };
}

function plainPart(part: Part, old: Bundle, now: Bundle): PartBytes {
  const same = samePart(part, old);
  if (same) return same;
  const whole: PartBytes = { op: 'whole', bytes: now.parts.get(part.name)! };
  const before = old.manifest.parts.find((p) => p.name === part.name);
  const patch = before && patchOf(part, before, { from: old.parts.get(part.name)!, to: whole.bytes });
  const block = patch && built((w) => writeBlock(w, patch));
  return block && block.length < whole.bytes.length ? { op: 'patch', bytes: block } : whole;
}

/** A patch of the inflated content, where deflating it again gives the bytes that the part has. */
function patchOf(
  part: Part,
  before: Part,
  { from, to }: { readonly from: Uint8Array; readonly to: Uint8Array },
): Uint8Array | undefined {
  if (part.inflatedBytes === undefined || before.inflatedBytes === undefined) return encodePatch(from, to);
  const content = inflate(to, part.inflatedBytes, part.name);
  if (!equal(deflate(content), to)) return undefined;
  return encodePatch(inflate(from, before.inflatedBytes, part.name), content);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** The weights of a bundle, constant by constant. */
interface Constants {
  readonly slots: readonly WeightSlot[];
  readonly stream: Uint8Array;
  readonly layout: ContainerLayout;
}

function constantsOf({ manifest, parts }: Bundle): Constants {
  const stream = parts.get(WEIGHTS)!;
  return { slots: manifest.program.weights, stream, layout: containerLayout(stream) };
}

function constantBytes({ stream, layout }: Constants, index: number): ConstantBytes {
  const { kind, from, bytes, refinements } = layout.constants[index]!;
  return {
    kind,
    payload: stream.subarray(from, from + bytes),
    refinements: refinements.map((r) => stream.subarray(r.from, r.from + r.bytes)),
  };
}

function encodeConstants(before: Bundle, after: Bundle): { bytes: Uint8Array; constants: DeltaReport['constants'] } {
  const [old, now] = [constantsOf(before), constantsOf(after)];
  const writer = new ByteWriter();
  writeBlock(writer, now.stream.subarray(0, now.layout.head));
  const constants = now.slots.map((slot, i) => {
    const whole = wholeOf(constantBytes(now, i));
    const options = [{ op: 'whole' as const, bytes: whole }, ...fromOld(old, now, i)];
    const best = options.reduce((a, b) => (b.bytes.length < a.bytes.length ? b : a));
    writer.byte(CONSTANT_OPS.indexOf(best.op));
    writer.bytes(best.bytes);
    return { name: slot.name, op: best.op, bytes: 1 + best.bytes.length, of: whole.length };
  });
  return { bytes: writer.finish(), constants };
}

function wholeOf({ payload, refinements }: ConstantBytes): Uint8Array {
  return built((w) => [payload, ...refinements].forEach((piece) => void w.bytes(piece)));
}

interface Option {
  readonly op: ConstantOp;
  readonly bytes: Uint8Array;
}

/** The ways to make constant i from the old constant of its name. */
function fromOld(old: Constants, now: Constants, i: number): Option[] {
  const slot = now.slots[i]!;
  const index = old.slots.findIndex((s) => s.name === slot.name);
  if (index < 0) return [];
  const [a, b] = [constantBytes(old, index), constantBytes(now, i)];
  const pairs = [[a.payload, b.payload] as const, ...b.refinements.map((r, k) => [a.refinements[k], r] as const)];
  if (a.refinements.length === b.refinements.length && pairs.every(([x, y]) => x && equal(x, y)))
    return [{ op: 'copy', bytes: built((w) => w.varint(index)) }];
  const form = formOf(b.kind, slot);
  const before = old.slots[index]!;
  if (!form || formOf(a.kind, before) !== form || sizeOf(before.shape) !== sizeOf(slot.shape)) return [];
  const [x, y] = [valuesOf(form, a, before), valuesOf(form, b, slot)];
  const coding = codingFor(form, b, slot);
  const again = bytesFor(y, coding);
  if (!equal(wholeOf({ kind: b.kind, payload: again.base, refinements: again.planes }), wholeOf(b))) return [];
  const [, cols] = matrixOf(slot.shape);
  return (
    [
      ['changes', encodeChanges(x, y)],
      ['differences', encodeDifferences(x, y, cols)],
    ] as const
  ).map(([op, coded]) => ({
    op,
    bytes: built((w) => {
      w.varint(index);
      if (form === 'codes') writeBlock(w, coding);
      writeBlock(w, coded);
    }),
  }));
}
